"""`/api/auth`: another e-mail address for an account."""

from fastapi import APIRouter, status

from omnify_auth.deps import ServiceDep
from omnify_auth.schemas.addresses import ChangeEmailIn, ConfirmEmailIn, EmailChangedOut
from omnify_auth.schemas.types import AcceptedOut
from omnify_shared.identity import FreshPrincipal

router = APIRouter(prefix="/api/auth", tags=["auth"])

_MAIL_SENT = AcceptedOut(status="accepted", message="If the address can be used, a mail with a link is on its way.")
_CHANGED = EmailChangedOut(status="changed", message="The address is changed; sign in with the new one.")


@router.post("/change-email", status_code=status.HTTP_202_ACCEPTED)
async def change_email(form: ChangeEmailIn, principal: FreshPrincipal, service: ServiceDep) -> AcceptedOut:
    """Mails a link to the new address, which does not count before it is proven, and a notice to the present one.

    The answer does not tell whether the address is known. Wants a fresh sign-in: 401 `reauthentication-required`.
    """
    await service.address_change.ask(principal.user_id, form.new_email)
    return _MAIL_SENT


@router.post("/change-email/confirm")
async def confirm_email(form: ConfirmEmailIn, service: ServiceDep) -> EmailChangedOut:
    """Changes the address with the token of the mailed link, once; sessions go on.

    400 `invalid-token` also when the password or the address was changed since the link was asked for.
    """
    await service.address_change.confirm(form.token)
    return _CHANGED
