"""For operators, through the sidecar; the gateway does not route here."""

from fastapi import APIRouter, Depends

from omnify_email.deps import ServiceDep
from omnify_email.errors import MailNotFailed, PermanentError
from omnify_email.schemas.operations import MailOut
from omnify_shared.access import OPERATOR
from omnify_shared.identity import require_caller

router = APIRouter(prefix="/mails", tags=["operations"], dependencies=[Depends(require_caller(OPERATOR))])


@router.get("/{event_id}")
async def mail(event_id: str, service: ServiceDep) -> MailOut:
    """The state of the mail that follows an event."""
    return MailOut.of(await service.delivery.find(event_id))


@router.post("/{event_id}/retry")
async def retry(event_id: str, service: ServiceDep) -> MailOut:
    """Tries a failed mail again; 409 with the reason when it fails again."""
    try:
        return MailOut.of(await service.delivery.retry(event_id))
    except PermanentError as error:
        raise MailNotFailed(f"it failed again: {error}") from error
