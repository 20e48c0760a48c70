"""`/oauth/userinfo`: about the user in whose name an app asks (OpenID Connect Core §5.3)."""

from fastapi import APIRouter, Response

from omnify_auth.authorization_request import OPENID
from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.schemas.oauth import UserInfoOut
from omnify_shared.identity import ScopedPrincipal
from omnify_shared.problems import Forbidden

router = APIRouter(prefix="/oauth/userinfo", tags=["oauth"])


class InsufficientScope(Forbidden):
    """RFC 6750 §3.1."""

    type, title = "insufficient-scope", "The access token is for something else"

    def __init__(self) -> None:
        super().__init__("it has no scope openid")
        self.headers["WWW-Authenticate"] = 'Bearer error="insufficient_scope", scope="openid"'


@router.get("", response_model_exclude_none=True)
async def userinfo(principal: ScopedPrincipal, service: ServiceDep, response: Response) -> UserInfoOut:
    """What the user lets the app know, as its scopes say: `openid` is asked for, `profile` and `email` add to it."""
    return await _told(principal, service, response)


@router.post("", response_model_exclude_none=True)
async def userinfo_by_post(principal: ScopedPrincipal, service: ServiceDep, response: Response) -> UserInfoOut:
    """The same; the token comes in the header all the same."""
    return await _told(principal, service, response)


async def _told(principal: ScopedPrincipal, service: ServiceDep, response: Response) -> UserInfoOut:
    scopes = principal.scopes or frozenset()
    if OPENID not in scopes:
        raise InsufficientScope
    response.headers.update(NO_STORE)
    user = await service.directory.member(principal.user_id)
    return UserInfoOut(
        sub=user.user_id,
        name=user.full_name if "profile" in scopes else None,
        locale=user.locale if "profile" in scopes else None,
        email=user.email if "email" in scopes else None,
        email_verified=user.verified_at is not None if "email" in scopes else None,
    )
