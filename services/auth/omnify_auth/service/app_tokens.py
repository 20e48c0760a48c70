"""Tokens of an app in its own name (client credentials, RFC 6749 §4.4)."""

from authlib.oauth2.rfc6749.errors import InvalidScopeError, UnauthorizedClientError

from omnify_auth.clients import IDENTITY_SCOPES, OAuthClient
from omnify_auth.service.clients import Clients
from omnify_auth.store import Store
from omnify_auth.tokens import AccessToken, AccessTokens, App
from omnify_shared import clock
from omnify_shared.ids import new_id


class AppTokens:
    """The app is the principal: of its organisation, with its scopes as permissions."""

    def __init__(self, store: Store, access_tokens: AccessTokens, clients: Clients) -> None:
        self._store = store
        self._access_tokens = access_tokens
        self._clients = clients

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


def within(scope: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes asked for, each once. Raises InvalidScopeError for one that is not allowed."""
    asked = tuple(dict.fromkeys(scope.split()))
    if not asked or not set(asked) <= set(allowed):
        raise InvalidScopeError("the scope names what the client may not have")
    return asked
