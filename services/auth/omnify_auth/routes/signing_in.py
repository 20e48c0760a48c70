"""`/api/auth`: the second step of a sign-in, and proving again who one is."""

from fastapi import APIRouter, Response

from omnify_auth.deps import NO_STORE, ClientDep, ServiceDep
from omnify_auth.routes.sessions import tokens
from omnify_auth.schemas.mfa import SecondStepIn, StepUpIn, StepUpOut
from omnify_auth.schemas.sessions import TokensOut
from omnify_shared.identity import LimitedPrincipal

router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.post("/login/mfa")
async def second_step(form: SecondStepIn, client: ClientDep, service: ServiceDep, response: Response) -> TokensOut:
    """Completes a sign-in that was answered with 403 `mfa-required`, whose `mfa_token` this takes.

    401 `invalid-code`: the token may be used again; 401 `invalid-mfa-token`: begin again. Wrong codes are counted as
    wrong passwords are, for themselves: 429 `too-many-guesses`.
    """
    response.headers.update(NO_STORE)
    with service.logins.counted():
        return tokens(await service.second_step.login(form.mfa_token, form.proof(), client))


@router.post("/step-up")
async def step_up(form: StepUpIn, principal: LimitedPrincipal, service: ServiceDep, response: Response) -> StepUpOut:
    """Makes the session fresh for ten minutes, for routes that answer 401 `reauthentication-required`.

    Takes the password and, from a user with a second factor, a code of it too: 403 `mfa-required` without one.
    """
    response.headers.update(NO_STORE)
    access = await service.step_up.prove(principal, form.password, form.proof())
    return StepUpOut(access_token=access.text, token_type="Bearer", expires_in=access.expires_in)  # noqa: S106
