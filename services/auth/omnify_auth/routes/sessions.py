"""`/api/auth`: signing in, staying signed in, signing out."""

from fastapi import APIRouter, Response, status

from omnify_auth.deps import NO_STORE, ClientDep, ServiceDep
from omnify_auth.records import User
from omnify_auth.schemas.accounts import UserOut
from omnify_auth.schemas.sessions import LoginIn, RefreshIn, TokensOut
from omnify_auth.service.sessions import SignedIn
from omnify_shared.identity import LimitedPrincipal

router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.post("/login")
async def login(form: LoginIn, client: ClientDep, service: ServiceDep, response: Response) -> TokensOut:
    """Signs in with a password.

    401 `invalid-credentials`, 403 `email-not-verified`. From the fifth wrong one in a row on there is a wait, 30 s and
    doubling: 429 `too-many-guesses` with `Retry-After`.
    """
    response.headers.update(NO_STORE)
    with service.logins.counted():
        return tokens(await service.sign_in.login(form.email, form.password, client))


@router.post("/refresh")
async def refresh(form: RefreshIn, service: ServiceDep, response: Response) -> TokensOut:
    """Exchanges a refresh token. The old one may be repeated for 10 s; after that, using it ends the session.

    A session ends an hour after its last exchange and 24 hours after the sign-in: 401 `invalid-refresh-token`.
    """
    response.headers.update(NO_STORE)
    return tokens(await service.sessions.refresh(form.refresh_token))


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
async def logout(principal: LimitedPrincipal, service: ServiceDep) -> None:
    """Ends the session of the access token; every service refuses its tokens within seconds."""
    await service.sessions.logout(principal.session_id)


def tokens(signed_in: SignedIn) -> TokensOut:
    """What a sign-in answers."""
    user, session = signed_in.user, signed_in.session
    return TokensOut(
        access_token=signed_in.access.text,
        refresh_token=signed_in.refresh.text,
        token_type="Bearer",  # noqa: S106 - RFC 6750's name
        expires_in=signed_in.access.expires_in,
        session_id=session.session_id,
        mfa_enrolment_required=signed_in.access.limited,
        user=user_out(user, session.organization_id, signed_in.roles),
    )


def user_out(user: User, organization_id: str, roles: tuple[str, ...]) -> UserOut:
    """The user at work in an organisation."""
    return UserOut(
        user_id=user.user_id,
        email=user.email,
        full_name=user.full_name,
        organization_id=organization_id,
        roles=roles,
    )
