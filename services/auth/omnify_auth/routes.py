"""HTTP: `/api/auth` for people's clients, `/.well-known` for verifiers, `/internal` for the email service."""

from uuid import UUID

from fastapi import APIRouter, Depends, Response, status
from fastapi.responses import JSONResponse

from omnify_auth.deps import ServiceDep, from_own_sidecar
from omnify_auth.schemas import (
    AcceptedOut,
    ContactOut,
    KeysOut,
    LoginIn,
    MeOut,
    MintedTokenOut,
    RefreshIn,
    RegisterIn,
    ResendIn,
    TokensOut,
    UserOut,
    VerifiedOut,
    VerifyEmailIn,
)
from omnify_auth.service.directory import roles_in
from omnify_auth.service.sessions import SignedIn
from omnify_auth.settings import JWKS_MAX_AGE
from omnify_shared.identity import CurrentPrincipal, require_caller

public = APIRouter(prefix="/api/auth", tags=["auth"])
well_known = APIRouter(prefix="/.well-known", tags=["keys"])
internal = APIRouter(prefix="/internal", dependencies=[Depends(require_caller("email"))], include_in_schema=False)

operator = APIRouter(prefix="/internal", dependencies=[Depends(from_own_sidecar)], include_in_schema=False)

_MAIL_SENT = AcceptedOut(status="accepted", message="If the address can be used, a mail with a link is on its way.")
_VERIFIED = VerifiedOut(status="verified", message="The address is verified; you can sign in now.")
_NO_STORE = {"Cache-Control": "no-store"}
_JWKS_HEADERS = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE.total_seconds():.0f}"}


# Routes are tried in their order; this one is asked most.
@public.get("/me", response_model=MeOut)
async def me(principal: CurrentPrincipal, service: ServiceDep) -> Response:
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
    )
    return Response(body.model_dump_json(), media_type="application/json", headers=_NO_STORE)


@public.post("/register", status_code=status.HTTP_202_ACCEPTED)
async def register(form: RegisterIn, service: ServiceDep) -> AcceptedOut:
    """Registers a user with an organisation, and mails a link. The answer does not tell whether the address is known.

    May be repeated. An address gets at most five mails in ten minutes; more requests are taken and mail nothing.
    """
    await service.registration.register(form)
    return _MAIL_SENT


@public.post("/verify-email")
async def verify_email(form: VerifyEmailIn, service: ServiceDep) -> VerifiedOut:
    """Proves the address with the token of the mailed link, once; before that, a sign-in is a 403.

    The link is `<public address>/verify-email#token=<token>`.
    """
    await service.verifications.prove(form.token)
    return _VERIFIED


@public.post("/verify-email/resend", status_code=status.HTTP_202_ACCEPTED)
async def resend(form: ResendIn, service: ServiceDep) -> AcceptedOut:
    """Asks for another mail. The answer does not tell whether the address is known."""
    await service.registration.resend(form.email)
    return _MAIL_SENT


@public.post("/login")
async def login(form: LoginIn, service: ServiceDep, response: Response) -> TokensOut:
    """Signs in with a password.

    401 `invalid-credentials`, 403 `email-not-verified`. From the fifth wrong one in a row on there is a wait, 30 s and
    doubling: 429 `too-many-guesses` with `Retry-After`.
    """
    response.headers.update(_NO_STORE)
    with service.logins.counted():
        return _tokens(await service.sessions.login(form.email, form.password))


@public.post("/refresh")
async def refresh(form: RefreshIn, service: ServiceDep, response: Response) -> TokensOut:
    """Exchanges a refresh token. The old one may be repeated for 10 s; after that, using it ends the session.

    A session ends 14 days after its last exchange and 30 days after the sign-in: 401 `invalid-refresh-token`.
    """
    response.headers.update(_NO_STORE)
    return _tokens(await service.sessions.refresh(form.refresh_token))


@public.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
async def logout(principal: CurrentPrincipal, service: ServiceDep) -> None:
    """Ends the session of the access token; every service refuses its tokens within seconds."""
    await service.sessions.logout(principal.session_id)


@well_known.get("/jwks.json", response_model=KeysOut)
async def jwks(service: ServiceDep) -> JSONResponse:
    """The keys that access tokens are signed with (RFC 7517). May be kept for as long as `Cache-Control` says."""
    return JSONResponse(await service.jwks(), headers=_JWKS_HEADERS)


@internal.post("/verifications/{verification_id}/token")
async def mint(verification_id: UUID, service: ServiceDep, response: Response) -> MintedTokenOut:
    """A fresh token for a verification mail."""
    response.headers.update(_NO_STORE)
    return await service.verifications.mint(str(verification_id))


@internal.get("/users/{user_id}/contact")
async def contact(user_id: UUID, service: ServiceDep) -> ContactOut:
    """Where to write to a user."""
    user = await service.directory.contact(str(user_id))
    return ContactOut(email=user.email, full_name=user.full_name)


@operator.post("/keys/rotate")
async def rotate_keys(service: ServiceDep, leaked: bool = False) -> JSONResponse:
    """Makes the next signing key now. For operators, who call it through auth's own sidecar."""
    await service.keyring.rotate(leaked=leaked)
    return JSONResponse(await service.jwks())


def _tokens(signed_in: SignedIn) -> TokensOut:
    user, session = signed_in.user, signed_in.session
    return TokensOut(
        access_token=signed_in.access.text,
        refresh_token=signed_in.refresh.text,
        token_type="Bearer",  # noqa: S106 - RFC 6750's name
        expires_in=signed_in.access.expires_in,
        session_id=session.session_id,
        user=UserOut(
            user_id=user.user_id,
            email=user.email,
            full_name=user.full_name,
            organization_id=session.organization_id,
            roles=signed_in.roles,
        ),
    )
