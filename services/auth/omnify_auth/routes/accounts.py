"""`/api/auth`: who one is, and becoming somebody."""

from fastapi import APIRouter, Response, status

from omnify_auth.deps import NO_STORE, LanguageDep, ServiceDep
from omnify_auth.schemas.accounts import MeOut, ProfileIn, ProfileOut, RegisterIn, ResendIn, VerifiedOut, VerifyEmailIn
from omnify_auth.schemas.types import AcceptedOut
from omnify_auth.service.directory import roles_in
from omnify_shared.identity import LimitedPrincipal

router = APIRouter(prefix="/api/auth", tags=["auth"])

_MAIL_SENT = AcceptedOut(status="accepted", message="If the address can be used, a mail with a link is on its way.")
_VERIFIED = VerifiedOut(status="verified", message="The address is verified; you can sign in now.")


# Routes are tried in their order; this one is asked most.
@router.get("/me", response_model=MeOut)
async def me(principal: LimitedPrincipal, service: ServiceDep) -> Response:
    """The signed-in user."""
    user = await service.directory.member(principal.user_id)
    body = MeOut(
        user_id=user.user_id,
        email=user.email,
        full_name=user.full_name,
        organization_id=principal.organization_id,
        roles=roles_in(user, principal.organization_id),
        permissions=tuple(sorted(principal.permissions)),
        session_id=principal.session_id,
        created_at=user.created_at,
        locale=user.locale,
    )
    return Response(body.model_dump_json(), media_type="application/json", headers=NO_STORE)


@router.patch("/me")
async def change_me(form: ProfileIn, principal: LimitedPrincipal, service: ServiceDep) -> ProfileOut:
    """The language that Omnify writes to the user in; null forgets it."""
    return ProfileOut(locale=await service.accounts.speak(principal.user_id, form.locale))


@router.post("/register", status_code=status.HTTP_202_ACCEPTED)
async def register(form: RegisterIn, language: LanguageDep, service: ServiceDep) -> AcceptedOut:
    """Registers a user with an organisation, and mails a link. The answer does not tell whether the address is known.

    May be repeated. An address gets at most five mails in ten minutes; more requests are taken and mail nothing.
    """
    await service.registration.register(form, form.locale or language)
    return _MAIL_SENT


@router.post("/verify-email")
async def verify_email(form: VerifyEmailIn, service: ServiceDep) -> VerifiedOut:
    """Proves the address with the token of the mailed link, once; before that, a sign-in is a 403.

    The link is `<public address>/verify-email#token=<token>`.
    """
    await service.verifications.prove(form.token)
    return _VERIFIED


@router.post("/verify-email/resend", status_code=status.HTTP_202_ACCEPTED)
async def resend(form: ResendIn, service: ServiceDep) -> AcceptedOut:
    """Asks for another mail. The answer does not tell whether the address is known."""
    await service.registration.resend(form.email)
    return _MAIL_SENT
