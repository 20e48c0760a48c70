"""Passkeys: `/api/mfa/passkeys` to keep them, `/api/auth` to use them."""

from fastapi import APIRouter, Response, status

from omnify_auth.deps import CHANGES_FACTORS, NO_STORE, ClientDep, ServiceDep
from omnify_auth.factors import PASSKEY_PROVEN
from omnify_auth.records import Passkey
from omnify_auth.routes.sessions import tokens
from omnify_auth.schemas.mfa import StepUpOut
from omnify_auth.schemas.passkeys import (
    CeremonyOut,
    NewPasskeyIn,
    NewPasskeyOut,
    PasskeyLoginIn,
    PasskeyOut,
    PasskeyShownIn,
    PasskeysOut,
)
from omnify_auth.schemas.sessions import TokensOut
from omnify_auth.service.second_factor import Holder
from omnify_shared.identity import FreshLimitedPrincipal, LimitedPrincipal, Principal

router = APIRouter(prefix="/api/mfa/passkeys", tags=["mfa"])
login_router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.get("")
async def passkeys(principal: LimitedPrincipal, service: ServiceDep, response: Response) -> PasskeysOut:
    """The passkeys of the signed-in user."""
    response.headers.update(NO_STORE)
    factors = await service.enrolment.factors(principal.user_id)
    return PasskeysOut(passkeys=tuple(_out(one) for one in factors.passkeys))


@router.post("/options")
async def passkey_options(principal: FreshLimitedPrincipal, service: ServiceDep, response: Response) -> CeremonyOut:
    """Options for `navigator.credentials.create`, good for five minutes."""
    response.headers.update(NO_STORE)
    ceremony_id, options = await service.passkeys.creation(principal.user_id)
    return CeremonyOut(ceremony_id=ceremony_id, options=options)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=CHANGES_FACTORS)
async def add_passkey(
    form: NewPasskeyIn, principal: FreshLimitedPrincipal, service: ServiceDep, response: Response
) -> NewPasskeyOut:
    """Keeps a passkey under a name; a first factor brings ten recovery codes. 401 `invalid-passkey`."""
    response.headers.update(NO_STORE)
    made, codes = await service.passkeys.add(_holder(principal), str(form.ceremony_id), form.name, form.credential)
    await service.step_up.note(principal.session_id, PASSKEY_PROVEN, at=None)
    return NewPasskeyOut(**_out(made).model_dump(), recovery_codes=codes)


@router.delete("/{passkey_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=CHANGES_FACTORS)
async def remove_passkey(passkey_id: str, principal: FreshLimitedPrincipal, service: ServiceDep) -> None:
    """Takes a passkey away."""
    await service.passkeys.remove(_holder(principal), passkey_id)


@login_router.post("/login/passkey/options")
async def login_options(client: ClientDep, service: ServiceDep, response: Response) -> CeremonyOut:
    """Options for `navigator.credentials.get`, good for five minutes; for signing in and for stepping up.

    At most 60 a minute for one client address: 429 `too-many-requests`.
    """
    response.headers.update(NO_STORE)
    ceremony_id, options = await service.passkeys.request(client.address)
    return CeremonyOut(ceremony_id=ceremony_id, options=options)


@login_router.post("/login/passkey")
async def login_passkey(form: PasskeyLoginIn, client: ClientDep, service: ServiceDep, response: Response) -> TokensOut:
    """Signs in with a passkey alone, or as the second step of `mfa_token`. 401 `invalid-passkey`."""
    response.headers.update(NO_STORE)
    with service.logins.counted():
        signed_in = service.second_step.passkey(form.mfa_token, str(form.ceremony_id), form.credential, client)
        return tokens(await signed_in)


@login_router.post("/step-up/passkey")
async def step_up_passkey(
    form: PasskeyShownIn, principal: LimitedPrincipal, service: ServiceDep, response: Response
) -> StepUpOut:
    """Makes the session fresh for ten minutes by a passkey, without the password."""
    response.headers.update(NO_STORE)
    await service.passkeys.show(_holder(principal), str(form.ceremony_id), form.credential)
    access = await service.step_up.renewed(principal, PASSKEY_PROVEN)
    return StepUpOut(access_token=access.text, token_type="Bearer", expires_in=access.expires_in)  # noqa: S106


def _holder(principal: Principal) -> Holder:
    return Holder(principal.user_id, principal.organization_id)


def _out(one: Passkey) -> PasskeyOut:
    return PasskeyOut(
        passkey_id=one.passkey_id,
        name=one.name,
        created_at=one.added_at,
        last_used=one.last_used_at,
        backed_up=one.backed_up,
    )
