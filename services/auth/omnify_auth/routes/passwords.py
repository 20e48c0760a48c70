"""`/api/auth`: replacing a password."""

from fastapi import APIRouter, status

from omnify_auth.deps import ServiceDep
from omnify_auth.schemas.passwords import ChangePasswordIn, ConfirmResetIn, PasswordChangedOut, PasswordResetIn
from omnify_auth.schemas.types import AcceptedOut
from omnify_shared.identity import CurrentPrincipal

router = APIRouter(prefix="/api/auth", tags=["passwords"])

_MAIL_SENT = AcceptedOut(status="accepted", message="If the address can be used, a mail with a link is on its way.")
_CHANGED = PasswordChangedOut(status="changed", message="The password is changed.")
_RESET = PasswordChangedOut(status="changed", message="The password is changed; sign in with it.")


@router.post("/change-password")
async def change_password(
    form: ChangePasswordIn, principal: CurrentPrincipal, service: ServiceDep
) -> PasswordChangedOut:
    """Sets a new password. The session of the request goes on; the user is told by mail.

    403 `wrong-password`; wrong ones count as failed sign-ins do: 429 `too-many-guesses`.
    """
    await service.credentials.change(
        principal.user_id,
        principal.session_id,
        form.current_password,
        form.new_password,
        end_others=form.end_other_sessions,
    )
    return _CHANGED


@router.post("/password-reset", status_code=status.HTTP_202_ACCEPTED)
async def password_reset(form: PasswordResetIn, service: ServiceDep) -> AcceptedOut:
    """Mails a link for a forgotten password. The answer does not tell whether the address is known.

    The link is `<public address>/reset-password#token=<token>`. An address gets at most five mails in ten minutes.
    """
    await service.credentials.ask_for_reset(form.email, service.registration.ask_again)
    return _MAIL_SENT


@router.post("/password-reset/confirm")
async def confirm_reset(form: ConfirmResetIn, service: ServiceDep) -> PasswordChangedOut:
    """Sets a new password with the token of the mailed link, once. Signs nobody in, and leaves second factors alone.

    400 `invalid-token` also when the password was changed since the link was asked for.
    """
    await service.credentials.reset(form.token, form.new_password, end_others=form.end_other_sessions)
    return _RESET
