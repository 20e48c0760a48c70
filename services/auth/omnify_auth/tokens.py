"""Access tokens: JWTs by RFC 9068, signed with ES256, five minutes long."""

from datetime import datetime, timedelta
from math import ceil

import jwt
from pydantic import BaseModel, ConfigDict

from omnify_auth.keyring import KeyRing
from omnify_auth.records import Session
from omnify_shared.ids import new_id

ISSUER = AUDIENCE = CLIENT = "omnify"


class AccessToken(BaseModel):
    model_config = ConfigDict(frozen=True)

    text: str
    expires_in: int
    """Seconds."""
    limited: bool
    """It is only good for setting up a second factor."""


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
        changed_at: datetime | None = None,
        limited: bool = False,
    ) -> AccessToken:
        """A token for the session, never beyond its end. Raises KeysUnavailable, SidecarUnavailable."""
        kid, key = await self._keyring.signer()
        # A token has whole seconds: one of the second in which the user's access changed is of the time after it.
        issued = max(int(now.timestamp()), ceil(changed_at.timestamp()) if changed_at else 0)
        expires = int(min(now + self._ttl, session.expires_at).timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": session.user_id,
            "client_id": CLIENT,
            "org": session.organization_id,
            "sid": session.session_id,
            "roles": list(roles),
            "iat": issued,
            "exp": expires,
            "jti": new_id(),
            "auth_time": int((session.authenticated_at or session.signed_in_at).timestamp()),
            "amr": list(session.amr),
        }
        if limited:
            claims |= {"roles": [], "mfa_enrolment_required": True}
        text = jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid, "typ": "at+jwt"})
        return AccessToken(text=text, expires_in=expires - issued, limited=limited)
