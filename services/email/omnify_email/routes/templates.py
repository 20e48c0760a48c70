"""`/api/email/templates`: what mails there are and what they look like."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from omnify_email.catalogue import TEMPLATES
from omnify_email.deps import LocaleDep, Publisher, ServiceDep, Viewer
from omnify_email.schemas.templates import PreviewIn, PreviewOut, TemplateOut, TemplatesOut

router = APIRouter(prefix="/api/email/templates", tags=["templates"])
TemplateName = Annotated[str, Path(pattern=r"^[a-z_]{1,40}$")]


@router.get("")
async def listed(_: Viewer) -> TemplatesOut:
    """All templates."""
    return TemplatesOut(templates=[TemplateOut.of(template) for template in TEMPLATES.values()])


@router.post("/{name}/preview")
async def preview(name: TemplateName, form: PreviewIn, _: Viewer, locale: LocaleDep, service: ServiceDep) -> PreviewOut:
    """What a mail would look like. Nothing is sent or kept."""
    subject, text, html = service.trials.preview(name, form.locale or locale, form.values)
    return PreviewOut(subject=subject, text=text, html=html)


@router.post("/{name}/test", status_code=status.HTTP_202_ACCEPTED)
async def test(
    name: TemplateName, form: PreviewIn, principal: Publisher, locale: LocaleDep, service: ServiceDep
) -> PreviewOut:
    """Sends the preview to the caller's own address; a few times an hour."""
    locale = form.locale or locale
    await service.trials.send(principal, name, locale, form.values)
    subject, text, html = service.trials.preview(name, locale, form.values)
    return PreviewOut(subject=subject, text=text, html=html)
