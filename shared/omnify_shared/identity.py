"""Who is calling: access tokens (RFC 9068, ES256), checked in every service without a call per request.

Keys come from auth's JWKS (RFC 7517) through the sidecar, are cached, and are fetched again for an unknown `kid`.
Routes state what they need in their signature: `CurrentPrincipal`, `FreshPrincipal` where the user must just have
proven who they are, or `Annotated[Principal, Depends(allowed("…"))]`.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
import structlog
from fastapi import Depends, Request

from omnify_shared import clock
from omnify_shared.context import Caller, called_by
from omnify_shared.jwks import ALGORITHM, JwksCache, KeySource
from omnify_shared.permissions import PERMISSIONS, permissions_of
from omnify_shared.problems import Forbidden, Unauthorized
from omnify_shared.revocations import Revocations

log = structlog.get_logger()
ISSUER = AUDIENCE = "omnify"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
LEEWAY = 30  # seconds of clock difference between services
CACHED_TOKENS = 4096
CACHED_HEADERS = 64
MAX_TOKEN = 4096  # characters
MAX_TIME = 2**33  # unix seconds, in the year 2242
MAX_AUTH_AGE = 600  # seconds since the user proved who they are, for what a stolen session must not do (RFC 9470)
OWN_CLIENT = "omnify"  # the `client_id` of people's own sign-ins; every other client acts within its scopes
REQUIRED = ["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "org", "sid", "roles"]


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions on one resource, until a moment."""

    permissions: frozenset[str]
    resource_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, as the access token says. `organization_id` is the tenant: never take one from a body."""

    user_id: str
    organization_id: str
    session_id: str
    roles: tuple[str, ...]
    permissions: frozenset[str]
    issued_at: datetime
    expires_at: datetime
    token: str
    authenticated_at: datetime
    """When the user last proved who they are, at sign-in or step-up; 1970 when the token does not say."""
    amr: tuple[str, ...]
    """By what (RFC 8176); empty when the token does not say."""
    client_id: str = OWN_CLIENT
    scopes: frozenset[str] | None = None
    """What an app or an API key was allowed to; None for people themselves."""
    parent_session_id: str | None = None
    """The sign-in that an app's session began from, and ends with."""
    limited: bool = False
    """The organisation wants a second factor that the user has not set up: enough for that, and for nothing else."""
    grants: tuple[Grant, ...] = ()

    def may(self, permission: str, resource_id: str | None = None) -> bool:
        """Whether they have a permission: for the whole organisation, or granted on this resource of its type."""
        if permission in self.permissions:
            return True
        now = clock.now()
        return any(
            permission in one.permissions and one.resource_id == resource_id and now < one.expires_at
            for one in self.grants
        )


class TokenOutdated(Unauthorized):
    """What the user may do has changed since the token was issued."""

    type, title = "token-outdated", "The access token is out of date"

    def __init__(self) -> None:
        super().__init__("refresh the token: what its user may do has changed")


class ReauthenticationRequired(Unauthorized):
    """The token is good, but its user has to prove again who they are (RFC 9470 §3)."""

    type, title = "reauthentication-required", "Confirm who you are"

    def __init__(self) -> None:
        super().__init__("sign in again, or step up: POST /api/auth/step-up", max_age=MAX_AUTH_AGE)
        self.headers["WWW-Authenticate"] = f'Bearer error="insufficient_user_authentication", max_age={MAX_AUTH_AGE}'


class EnrolmentRequired(Forbidden):
    """The organisation's policy wants a second factor that the user has not set up."""

    type, title = "mfa-enrolment-required", "Set up a second factor first"

    def __init__(self) -> None:
        super().__init__("the organisation asks for it: POST /api/mfa/totp/setup, then refresh the token")


class NotForApps(Forbidden):
    """An app or an API key asks for what only people may do themselves."""

    type, title = "not-for-apps", "Apps may not do this"

    def __init__(self) -> None:
        super().__init__("sign in as a person: the token was given to an app or an API key")


class Identity:
    """Verifies access tokens. A verified token is remembered until it expires; revocation is asked every time."""

    def __init__(self, keys: KeySource, revocations: Revocations) -> None:
        self._jwks = JwksCache(keys)
        self.revocations = revocations
        self._headers: dict[str, str] = {}
        self._verified: OrderedDict[bytes, Principal] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The principal of an access token. Raises Unauthorized; SidecarError when the keys can't be had."""
        if len(token) > MAX_TOKEN:
            raise Unauthorized("the access token is too long")
        digest = hashlib.sha256(token.encode()).digest()
        principal = self._verified.get(digest)
        if principal is None:
            principal = await self.check(token)
            self._remember(digest, principal)
        if principal.expires_at <= clock.now():
            raise Unauthorized("the access token has expired")
        if self.revocations.revoked(principal.session_id):
            raise Unauthorized("the session has ended")
        if self.revocations.revoked(principal.parent_session_id or ""):
            raise Unauthorized("the session has ended")
        for subject in {principal.user_id, principal.client_id}:
            if self.revocations.outdated(subject, principal.session_id, principal.issued_at):
                raise TokenOutdated
        return principal

    def _remember(self, digest: bytes, principal: Principal) -> None:
        self._verified[digest] = principal
        if len(self._verified) > CACHED_TOKENS:
            self._verified.popitem(last=False)

    async def check(self, token: str) -> Principal:
        """Signature and claims of a token, from scratch (RFC 8725: the algorithm and `typ` are ours, not its)."""
        key = await self._jwks.key(self._key_id(token))
        try:
            claims = jwt.decode(
                token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, leeway=LEEWAY,
                options={"require": REQUIRED},
            )  # fmt: skip
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("the access token has expired") from error
        except jwt.ImmatureSignatureError as error:
            raise Unauthorized("the access token is not valid yet: the clocks here and at its issuer differ") from error
        except (jwt.InvalidTokenError, OverflowError) as error:
            raise Unauthorized("the access token is not valid") from error
        return _principal(claims, token)

    def _key_id(self, token: str) -> str:
        """The `kid` of a token of ours. Tokens of one key share their header to the byte, so few are ever parsed."""
        encoded = token.partition(".")[0]
        known = self._headers.get(encoded)
        if known is None:
            known = _checked_header(token)
            if len(self._headers) >= CACHED_HEADERS:
                self._headers.clear()
            self._headers[encoded] = known
        return known


def _checked_header(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise Unauthorized("not an access token") from error
    if str(header.get("typ", "")).lower().removeprefix("application/") != TOKEN_TYPE:
        raise Unauthorized("not an access token")
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
        raise Unauthorized("not an access token of this platform")
    return str(header["kid"])


def _principal(claims: Mapping[str, Any], token: str) -> Principal:
    texts = [claims[name] for name in ("sub", "org", "sid")]
    roles, expires = claims["roles"], claims["exp"]
    good = isinstance(roles, list) and all(isinstance(text, str) and text for text in (*texts, *roles))
    if not good or not isinstance(expires, int | float) or not 0 < expires < MAX_TIME:
        raise Unauthorized("the access token is not valid")
    user_id, organization_id, session_id = texts
    client_id, scopes = claims["client_id"], _scopes(claims)
    return Principal(
        user_id=user_id,
        organization_id=organization_id,
        session_id=session_id,
        roles=tuple(roles),
        permissions=_within(scopes, PERMISSIONS if user_id == client_id else _held(roles, claims)),
        issued_at=_auth_time(claims["iat"]),
        expires_at=datetime.fromtimestamp(int(expires) + LEEWAY, UTC),
        token=token,
        authenticated_at=_auth_time(claims.get("auth_time")),
        amr=_texts(claims.get("amr")),
        client_id=client_id,
        scopes=scopes,
        parent_session_id=_text(claims.get("parent_sid")),
        limited=claims.get("mfa_enrolment_required", False) is not False,
        grants=() if scopes is not None else tuple(_grants(claims.get("grants"))),
    )


def _grants(claim: Any) -> Iterator[Grant]:
    for resource, (actions, ends) in claim.items() if isinstance(claim, dict) else ():
        kind, _, resource_id = resource.partition("/")
        permissions = PERMISSIONS & {f"{kind}:{action}" for action in actions.split()}
        yield Grant(permissions, resource_id, datetime.fromtimestamp(int(ends), UTC))


def _scopes(claims: Mapping[str, Any]) -> frozenset[str] | None:
    """The scopes of a token that an app got; one without any may do nothing."""
    if claims["client_id"] == OWN_CLIENT:
        return None
    scope = claims.get("scope", "")
    if not isinstance(claims["client_id"], str) or not isinstance(scope, str):
        raise Unauthorized("the access token is not valid")
    return frozenset(scope.split())


def _held(roles: list[str], claims: Mapping[str, Any]) -> frozenset[str]:
    """What the roles may do that every organisation has, and in `perms` what its own among them may."""
    return permissions_of(roles) | (PERMISSIONS & set(_texts(claims.get("perms"))))


def _within(scopes: frozenset[str] | None, permissions: frozenset[str]) -> frozenset[str]:
    return permissions if scopes is None else permissions & scopes


def _text(claim: Any) -> str | None:
    return claim if isinstance(claim, str) else None


def _auth_time(claim: Any) -> datetime:
    known = isinstance(claim, int | float) and not isinstance(claim, bool) and 0 < claim < MAX_TIME
    return datetime.fromtimestamp(int(claim) if known else 0, UTC)


def _texts(claim: Any) -> tuple[str, ...]:
    known = isinstance(claim, list) and all(isinstance(text, str) for text in claim)
    return tuple(claim) if known else ()


def bearer_token(request: Request) -> str:
    """The token of the Authorization header (RFC 6750). Raises Unauthorized."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("send an access token: Authorization: Bearer …")
    return token.strip()


async def scoped_principal(request: Request) -> Principal:
    """Dependency: the caller, a person or what acts within scopes. Raises Unauthorized, EnrolmentRequired."""
    principal = await _verified(request)
    if principal.limited:
        raise EnrolmentRequired
    return principal


async def limited_principal(request: Request) -> Principal:
    """Dependency: the caller in person, even one who must set up a second factor first.

    Raises Unauthorized (401), NotForApps (403).
    """
    principal = await _verified(request)
    if principal.scopes is not None:
        raise NotForApps
    return principal


async def _verified(request: Request) -> Principal:
    identity: Identity = request.app.state.platform.identity
    principal = await identity.verify(bearer_token(request))
    own = principal.user_id == principal.client_id
    called_by(Caller("service_account" if own else "user", principal.user_id, principal.amr))
    return principal


async def current_principal(request: Request) -> Principal:
    """Dependency: the caller in person. Raises Unauthorized (401), EnrolmentRequired, NotForApps (403)."""
    principal = await limited_principal(request)
    if principal.limited:
        raise EnrolmentRequired
    return principal


LimitedPrincipal = Annotated[Principal, Depends(limited_principal)]
CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
ScopedPrincipal = Annotated[Principal, Depends(scoped_principal)]
SIGNED_IN = frozenset({current_principal, limited_principal, scoped_principal})
"""The dependencies of which a route for signed-in users has one."""


async def fresh(principal: CurrentPrincipal) -> Principal:
    """Dependency: the caller, who signed in or stepped up within ten minutes. Raises ReauthenticationRequired (401)."""
    return _just_proven(principal)


async def fresh_limited(principal: LimitedPrincipal) -> Principal:
    """Dependency: as `fresh`, even for one who must set up a second factor first."""
    return _just_proven(principal)


def _just_proven(principal: Principal) -> Principal:
    if clock.now() - principal.authenticated_at > timedelta(seconds=MAX_AUTH_AGE):
        raise ReauthenticationRequired
    return principal


FreshPrincipal = Annotated[Principal, Depends(fresh)]
FreshLimitedPrincipal = Annotated[Principal, Depends(fresh_limited)]


def allowed(permission: str, resource: str | None = None) -> Callable[..., Awaitable[Principal]]:
    """Dependency: the caller, who has `permission`, as an app has within its scopes. Raises Unauthorized, Forbidden.

    `resource` names the path parameter that holds the id of the resource, where a grant on it is enough.
    """

    async def check(request: Request, principal: ScopedPrincipal) -> Principal:
        resource_id = str(request.path_params[resource]) if resource else None
        if not principal.may(permission, resource_id):
            raise Forbidden(f"this needs the permission {permission}", permission=permission)
        return principal

    check.permission = permission  # type: ignore[attr-defined]
    return check


def require_caller(*app_ids: str) -> Callable[[Request], Awaitable[None]]:
    """Dependency of an internal route: only these apps. Their sidecar names them; mTLS makes that name trustworthy.

    The sidecar adds its name beside one that the caller sent itself, in no fixed order: two names are a forgery.
    """

    async def check(request: Request) -> None:
        named = request.headers.getlist("dapr-caller-app-id")
        if len(named) != 1 or named[0] not in app_ids:
            raise Forbidden(f"only {', '.join(app_ids)} may call this")

    check.callers = app_ids  # type: ignore[attr-defined]
    return check
