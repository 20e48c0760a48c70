"""`/api/mfa`: second factors of the signed-in user."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response

from omnify_auth.deps import CHANGES_FACTORS, NO_STORE, ServiceDep
from omnify_auth.factors import OTP_PROVEN
from omnify_auth.records import Factors
from omnify_auth.schemas.mfa import (
    CodeIn,
    DisableIn,
    MethodOut,
    PolicyIn,
    PolicyOut,
    RecoveryCodesOut,
    SetupOut,
    StatusOut,
    SuccessOut,
    VerifiedCodeOut,
)
from omnify_auth.service.second_factor import Holder
from omnify_auth.totp import key_uri, qr_code
from omnify_shared.identity import FreshLimitedPrincipal, LimitedPrincipal, Principal, allowed, fresh

router = APIRouter(prefix="/api/mfa", tags=["mfa"])
Owner = Annotated[Principal, Depends(allowed("org:admin"))]


@router.get("/status")
async def status(principal: LimitedPrincipal, service: ServiceDep, response: Response) -> StatusOut:
    """What is set up."""
    response.headers.update(NO_STORE)
    return _status(await service.enrolment.factors(principal.user_id))


@router.post("/totp/setup")
async def set_up(principal: FreshLimitedPrincipal, service: ServiceDep, response: Response) -> SetupOut:
    """Makes the secret of an authenticator app, which counts once a code of it was sent to `/totp/verify`.

    An app that is in use stays in use until then. Wants a fresh sign-in, as all that changes factors does: 401
    `reauthentication-required` otherwise.
    """
    response.headers.update(NO_STORE)
    user = await service.directory.member(principal.user_id)
    secret = await service.enrolment.set_up(principal.user_id)
    uri = key_uri(secret, user.email)
    return SetupOut(status="pending_verification", secret=secret, uri=uri, qr_code=qr_code(uri))


@router.post("/totp/verify", dependencies=CHANGES_FACTORS)
async def verify(form: CodeIn, principal: LimitedPrincipal, service: ServiceDep, response: Response) -> VerifiedCodeOut:
    """Shows a code. The first one of a new app puts it to use, and brings ten recovery codes where there are none.

    401 `invalid-code`: wrong, or used before. The session then counts as signed in with two factors.
    """
    response.headers.update(NO_STORE)
    codes = await service.enrolment.prove(_holder(principal), form.code)
    await service.step_up.note(principal.session_id, OTP_PROVEN, at=None)
    return VerifiedCodeOut(success=True, recovery_codes=codes)


@router.post("/recovery-codes", dependencies=CHANGES_FACTORS)
async def recovery_codes(principal: FreshLimitedPrincipal, service: ServiceDep, response: Response) -> RecoveryCodesOut:
    """Ten new recovery codes; older ones are void."""
    response.headers.update(NO_STORE)
    return RecoveryCodesOut(recovery_codes=await service.enrolment.new_recovery_codes(_holder(principal)))


@router.post("/disable", dependencies=CHANGES_FACTORS)
async def disable(form: DisableIn, principal: FreshLimitedPrincipal, service: ServiceDep) -> SuccessOut:
    """Takes a factor away, against a code of it or a recovery code. Those go with the last factor."""
    await service.enrolment.remove_totp(_holder(principal), form.proof())
    return SuccessOut(success=True)


@router.put("/policy", dependencies=[Depends(fresh)])
async def set_policy(form: PolicyIn, principal: Owner, service: ServiceDep) -> PolicyOut:
    """Says who of the organisation must have a second factor: nobody, owners and admins (the default), or all.

    Who has none is asked for one seven days after their account was made: sign-in and refresh then answer
    `mfa_enrolment_required`, and the token is good for `/api/mfa`, `/api/auth/me`, step-up and logout only.
    """
    await service.mfa_policies.change(principal.organization_id, principal.user_id, form.mfa_policy)
    return PolicyOut(mfa_policy=form.mfa_policy)


def _holder(principal: Principal) -> Holder:
    return Holder(principal.user_id, principal.organization_id)


def _status(factors: Factors) -> StatusOut:
    totp = factors.totp
    apps = (MethodOut(method="totp", created_at=totp.made_at, last_used=totp.last_used_at),) if totp else ()
    passkeys = (
        MethodOut(method="passkey", created_at=one.added_at, last_used=one.last_used_at) for one in factors.passkeys
    )
    methods = (*apps, *passkeys)
    pending: Literal["pending_setup", "disabled"] = "pending_setup" if factors.pending_totp else "disabled"
    return StatusOut(
        user_id=factors.user_id,
        mfa_enabled=bool(methods),
        status="enabled" if methods else pending,
        methods=methods,
        recovery_codes_left=len(factors.recovery_codes),
    )
