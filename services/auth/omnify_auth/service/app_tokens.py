"""Tokens of an app: in its own name given (client credentials, RFC 6749 §4.4), and all looked at and ended."""

from typing import Any

from authlib.oauth2.rfc6749.errors import UnauthorizedClientError

from omnify_auth.clients import IDENTITY_SCOPES, OAuthClient
from omnify_auth.events import SessionRevoked
from omnify_auth.oauth_forms import within
from omnify_auth.records import Session
from omnify_auth.service.app_sessions import AppSessions
from omnify_auth.settings import CLOCK_LEEWAY
from omnify_auth.store import Store
from omnify_auth.tokens import AccessToken, AccessTokens, App
from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_shared.identity import AUDIENCE, ISSUER, LEEWAY, Identity, Principal
from omnify_shared.ids import new_id
from omnify_shared.problems import Unauthorized
from omnify_shared.revocations import TOKEN_LIFE


class AppTokens:
    """The app is the principal: of its organisation, with its scopes as permissions."""

    def __init__(self, store: Store, access_tokens: AccessTokens, identity: Identity, sessions: AppSessions) -> None:
        self._store = store
        self._access_tokens = access_tokens
        self._identity = identity
        self._sessions = sessions

    async def issue(self, client: OAuthClient, scope: str | None) -> tuple[AccessToken, tuple[str, ...]]:
        """An access token and its scope: what is asked for, or all that the client may have in its own name."""
        if "client_credentials" not in client.grant_types:
            raise UnauthorizedClientError("the client may not use client_credentials")
        own = tuple(one for one in client.scopes if one not in IDENTITY_SCOPES)
        granted = within(scope, own) if scope else own
        app = App(
            subject=client.client_id,
            client_id=client.client_id,
            organization_id=client.organization_id,
            session_id=new_id(),
            roles=(),
            scope=granted,
            changed_at=client.access_changed_at,
        )
        return await self._access_tokens.issue_to(app, clock.now()), granted

    async def revoke(self, client: OAuthClient, text: str) -> None:
        """Ends a token of the client's own (RFC 7009), in every service within seconds; any other is left alone."""
        if session := await self._sessions.of_token(client, text):
            return await self._sessions.revoke(client, session.session_id)
        principal = await self._own(client, text)
        if principal is None:
            return None
        if principal.user_id != client.client_id:
            return await self._sessions.revoke(client, principal.session_id)

        def change(client: OAuthClient, emit: Emit) -> OAuthClient:
            until = clock.now() + TOKEN_LIFE + CLOCK_LEEWAY
            sid, organization_id = principal.session_id, client.organization_id
            emit(SessionRevoked(session_id=sid, expires_at=until, organization_id=organization_id))
            return client

        await self._store.clients.update(client.client_id, change=change)
        await self._identity.revocations.add(principal.session_id)

    async def introspect(self, client: OAuthClient, text: str) -> dict[str, Any]:
        """What a token of the client's own is worth now (RFC 7662 §2.2); of any other just that it is not active."""
        if session := await self._sessions.of_token(client, text):
            return _shown(session)
        principal = await self._own(client, text)
        if principal is None:
            return {"active": False}
        return {
            "active": True,
            "client_id": client.client_id,
            "sub": principal.user_id,
            "scope": " ".join(sorted(principal.scopes or ())),
            "token_type": "Bearer",
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": int(principal.issued_at.timestamp()),
            "exp": int(principal.expires_at.timestamp()) - LEEWAY,
        }

    async def _own(self, client: OAuthClient, text: str) -> Principal | None:
        try:
            principal = await self._identity.verify(text)
        except Unauthorized:
            return None
        return principal if principal.client_id == client.client_id else None


def _shown(session: Session) -> dict[str, Any]:
    """What a refresh token of a session is worth."""
    return {
        "active": True,
        "client_id": session.client_id,
        "sub": session.user_id,
        "scope": " ".join(session.scope),
        "exp": int(min(session.expires_at, session.idle_expires_at).timestamp()),
    }
