"""Dependencies of the routes; the permission stands in each route's signature."""

from typing import Annotated

from fastapi import Depends, Header

from omnify_email.catalogue import Locale
from omnify_email.rendering import locale_of
from omnify_email.service import EmailService
from omnify_shared.deps import service_of
from omnify_shared.identity import Principal, allowed

ServiceDep = Annotated[EmailService, Depends(service_of(EmailService))]
Viewer = Annotated[Principal, Depends(allowed("campaign:view"))]
Publisher = Annotated[Principal, Depends(allowed("campaign:publish"))]
SettingsViewer = Annotated[Principal, Depends(allowed("settings:view"))]
SettingsEditor = Annotated[Principal, Depends(allowed("settings:edit"))]


async def language(accept_language: Annotated[str | None, Header(max_length=500)] = None) -> Locale:
    """Dependency: the caller's language among ours."""
    return locale_of(accept_language)


LocaleDep = Annotated[Locale, Depends(language)]
