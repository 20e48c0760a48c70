"""`/api/email/preferences`: what a user wants to get, and what goes to those who have chosen nothing."""

from fastapi import APIRouter

from omnify_email.deps import ServiceDep, SettingsEditor, SettingsViewer
from omnify_email.schemas.standings import PreferencesIn, PreferencesOut
from omnify_shared.identity import CurrentPrincipal

router = APIRouter(prefix="/api/email", tags=["preferences"])


@router.get("/preferences")
async def mine(principal: CurrentPrincipal, service: ServiceDep) -> PreferencesOut:
    """What the user gets from the organisation. Mails about the account are no choice."""
    address = await service.address_of(principal.user_id)
    return PreferencesOut.model_validate(
        {"categories": await service.standings.choices(principal.organization_id, address)}
    )


@router.put("/preferences")
async def choose(form: PreferencesIn, principal: CurrentPrincipal, service: ServiceDep) -> PreferencesOut:
    """Changes what the user gets; it counts for the very next mail."""
    address = await service.address_of(principal.user_id)
    await service.standings.choose_own(principal.user_id, principal.organization_id, address, form.categories)
    return PreferencesOut.model_validate(
        {"categories": await service.standings.choices(principal.organization_id, address)}
    )


@router.get("/defaults")
async def defaults(principal: SettingsViewer, service: ServiceDep) -> PreferencesOut:
    """What goes to addresses that have chosen nothing."""
    return PreferencesOut.model_validate({"categories": await service.standings.defaults(principal.organization_id)})


@router.put("/defaults")
async def set_defaults(form: PreferencesIn, principal: SettingsEditor, service: ServiceDep) -> PreferencesOut:
    """Changes what goes to addresses that have chosen nothing: `false` asks each owner for a yes first."""
    await service.standings.set_defaults(principal.organization_id, form.categories)
    return PreferencesOut.model_validate({"categories": await service.standings.defaults(principal.organization_id)})
