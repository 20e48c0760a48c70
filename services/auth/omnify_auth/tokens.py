"""Access tokens: JWTs by RFC 9068, signed with ES256, five minutes long."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import jwt
from pydantic import BaseModel, ConfigDict

from omnify_auth.keyring import KeyRing
from omnify_auth.records import ResourceGrant, Session
from omnify_shared.ids import new_id

ISSUER = AUDIENCE = CLIENT = "omnify"


class AccessToken(BaseModel):
    model_config = ConfigDict(frozen=True)

    text: str
    expires_in: int
    """Seconds."""
    limited: bool
    """It is only good for setting up a second factor."""


@dataclass(frozen=True, slots=True)
class App:
    """What acts without a session of a user's: an app in its own name (its subject is itself), or an API key."""

    subject: str
    client_id: str
    organization_id: str
    session_id: str
    roles: tuple[str, ...]
    scope: tuple[str, ...]
    changed_at: datetime | None
    permissions: frozenset[str] = frozenset()
    """What the organisation's own among the roles may do."""


class AccessTokens:
    """Issues access tokens for sessions; every service verifies them with the published keys."""

    def __init__(self, keyring: KeyRing, ttl: timedelta) -> None:
        self._keyring = keyring
        self._ttl = ttl

    async def issue(
        self,
        session: Session,
        roles: tuple[str, ...],
        now: datetime,
        *,
        permissions: Iterable[str] = (),
        grants: Iterable[ResourceGrant] = (),
        changed_at: datetime | None = None,
        limited: bool = False,
    ) -> AccessToken:
        """A token for the session, never beyond its end; `permissions` are those of the organisation's own roles.

        Raises KeysUnavailable, SidecarUnavailable.
        """
        # A token has whole seconds: one of the second in which the user's access changed is of the time after it.
        issued = max(int(now.timestamp()), ceil(changed_at.timestamp()) if changed_at else 0)
        expires = int(min(now + self._ttl, session.expires_at).timestamp())
        claims: dict[str, Any] = {
            "sub": session.user_id,
            "client_id": session.client_id or CLIENT,
            "org": session.organization_id,
            "sid": session.session_id,
            "roles": list(roles),
            "iat": issued,
            "exp": expires,
            "auth_time": int((session.authenticated_at or session.signed_in_at).timestamp()),
            "amr": list(session.amr),
        }
        if session.client_id:
            claims |= {"scope": " ".join(session.scope)}
        if session.parent_id:
            claims |= {"parent_sid": session.parent_id}
        if limited:
            claims |= {"roles": [], "mfa_enrolment_required": True}
        else:
            claims |= _own(permissions) | _granted(grants, now)
        return AccessToken(text=await self._signed(claims), expires_in=expires - issued, limited=limited)

    async def issue_to(self, app: App, now: datetime) -> AccessToken:
        """A token for an app in its own name, or for an API key in its user's. Raises KeysUnavailable."""
        changed = ceil(app.changed_at.timestamp()) if app.changed_at else 0
        issued, expires = max(int(now.timestamp()), changed), int((now + self._ttl).timestamp())
        claims: dict[str, Any] = {
            "sub": app.subject,
            "client_id": app.client_id,
            "org": app.organization_id,
            "sid": app.session_id,
            "roles": list(app.roles),
            "scope": " ".join(app.scope),
            "iat": issued,
            "exp": expires,
        }
        claims |= _own(app.permissions)
        return AccessToken(text=await self._signed(claims), expires_in=expires - issued, limited=False)

    async def id_token(self, claims: dict[str, Any]) -> str:
        """An ID token (OpenID Connect Core §2) of these claims."""
        kid, key = await self._keyring.signer()
        return jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid, "typ": "JWT"})

    async def _signed(self, claims: dict[str, Any]) -> str:
        kid, key = await self._keyring.signer()
        ours = {"iss": ISSUER, "aud": AUDIENCE, "jti": new_id()}
        return jwt.encode(claims | ours, key, algorithm="ES256", headers={"kid": kid, "typ": "at+jwt"})


def _own(permissions: Iterable[str]) -> dict[str, Any]:
    found = sorted(permissions)
    return {"perms": found} if found else {}


def grants_claim(grants: Iterable[ResourceGrant]) -> dict[str, list[Any]]:
    """`{"campaign/17": ["edit publish", 1790000000]}`: a resource, what may be done with it, until when."""
    return {
        f"{one.resource_type}/{one.resource_id}": [
            " ".join(permission.partition(":")[2] for permission in one.permissions),
            int(one.expires_at.timestamp()),
        ]
        for one in grants
    }


def _granted(grants: Iterable[ResourceGrant], now: datetime) -> dict[str, Any]:
    found = grants_claim(one for one in grants if now < one.expires_at)
    return {"grants": found} if found else {}
