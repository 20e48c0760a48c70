"""`/api/auth`: the second step of a sign-in, and proving again who one is."""

from fastapi import APIRouter, Response, status

from omnify_auth.deps import NO_STORE, ClientDep, ServiceDep
from omnify_auth.routes.sessions import tokens
from omnify_auth.schemas.mfa import MfaRecoveryIn, MfaTokenIn, SecondStepIn, StepUpIn, StepUpOut, SuccessOut
from omnify_auth.schemas.sessions import TokensOut
from omnify_auth.schemas.types import AcceptedOut
from omnify_shared.identity import LimitedPrincipal

router = APIRouter(prefix="/api/auth", tags=["auth"])

_MAIL_SENT = AcceptedOut(status="accepted", message="A mail with a link is on its way.")


@router.post("/login/mfa")
async def second_step(form: SecondStepIn, client: ClientDep, service: ServiceDep, response: Response) -> TokensOut:
    """Completes a sign-in that was answered with 403 `mfa-required`, whose `mfa_token` this takes.

    401 `invalid-code`: the token may be used again; 401 `invalid-mfa-token`: begin again. Wrong codes are counted as
    wrong passwords are, for themselves: 429 `too-many-guesses`.
    """
    response.headers.update(NO_STORE)
    with service.logins.counted():
        return tokens(await service.second_step.login(form.mfa_token, form.proof(), client))


@router.post("/login/mfa/recovery", status_code=status.HTTP_202_ACCEPTED)
async def ask_for_recovery(form: MfaTokenIn, service: ServiceDep) -> AcceptedOut:
    """Mails a link to who knows the password and has lost all factors and codes; the link leads to an administrator.

    Takes the `mfa_token` of a sign-in. 401 `invalid-mfa-token`.
    """
    await service.factor_recovery.ask(form.mfa_token)
    return _MAIL_SENT


@router.post("/mfa-recovery/confirm")
async def confirm_recovery(form: MfaRecoveryIn, service: ServiceDep) -> SuccessOut:
    """Shows that the mailbox is the user's, too. 400 `invalid-token`.

    For 72 hours an administrator of an organisation of theirs may then take the factors away.
    """
    await service.factor_recovery.confirm(form.token)
    return SuccessOut(success=True)


@router.post("/step-up")
async def step_up(form: StepUpIn, principal: LimitedPrincipal, service: ServiceDep, response: Response) -> StepUpOut:
    """Makes the session fresh for ten minutes, for routes that answer 401 `reauthentication-required`.

    Takes the password and, from a user with a second factor, a code of it too: 403 `mfa-required` without one.
    """
    response.headers.update(NO_STORE)
    access = await service.step_up.prove(principal, form.password, form.proof())
    return StepUpOut(access_token=access.text, token_type="Bearer", expires_in=access.expires_in)  # noqa: S106
