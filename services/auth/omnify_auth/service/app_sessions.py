"""What apps hold in a user's name: codes become sessions of theirs, with a chain of refresh tokens each."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError, UnauthorizedClientError
from authlib.oidc.core.util import create_half_hash

from omnify_auth.access import has_ended
from omnify_auth.authorization_request import OFFLINE, OPENID
from omnify_auth.clients import OAuthClient
from omnify_auth.codes import AuthorizationCode, digest, proves
from omnify_auth.errors import InvalidRefreshToken
from omnify_auth.oauth_forms import Form, within
from omnify_auth.records import Session, User
from omnify_auth.service.app_grants import AppGrants
from omnify_auth.service.endings import Endings
from omnify_auth.service.sessions import Sessions
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_auth.tokens import AccessToken, AccessTokens
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit

_VOID = "the code is unknown, used, expired or was given for another request"
_ENDED = "the refresh token is unknown, spent or expired, or the grant was withdrawn"


@dataclass(frozen=True, slots=True)
class Granted:
    """What the token endpoint answers an app in a user's name."""

    access: AccessToken
    scope: tuple[str, ...]
    refresh_token: str | None
    id_token: str | None


class AppSessions:
    """A session of an app ends with the sign-in that it began from; with `offline_access` it stands for itself.

    Either way it ends with the user's grant, with the client, and with what ends all sessions of the user.
    """

    def __init__(
        self,
        store: Store,
        grants: AppGrants,
        sessions: Sessions,
        endings: Endings,
        access_tokens: AccessTokens,
        settings: AuthSettings,
    ) -> None:
        self._store = store
        self._grants = grants
        self._sessions = sessions
        self._endings = endings
        self._access_tokens = access_tokens
        self._settings = settings

    async def begin(self, client: OAuthClient, form: Form) -> Granted:
        """Exchanges a code. Raises InvalidGrantError for one that was not given for exactly this."""
        if "authorization_code" not in client.grant_types:
            raise UnauthorizedClientError("the client may not use authorization_code")
        if "code" not in form:
            raise InvalidRequestError("code is missing")
        key = digest(form["code"])
        code = await self._used(key, client, form)
        parent, user = await self._store.sessions.get(code.parent_id), await self._store.users.get(code.user_id)
        if parent is None or user is None or not _goes_on(parent, user):
            raise InvalidGrantError(_VOID)
        if not await self._grants.admit(code.user_id, client.client_id, code.scope, code.session_id):
            raise InvalidGrantError(_VOID)
        session, token = await self._begun(client, code, parent)
        # One who used the code a second time before the session was there could not end it: they left word instead.
        if (now := await self._store.codes.get(key)) is None or now.replayed_at:
            await self._endings.end(code.session_id, "reuse")
            raise InvalidGrantError(_VOID)
        return await self._granted(client, session, user, token, nonce=code.nonce, sid=code.parent_id)

    async def refresh(self, client: OAuthClient, form: Form) -> Granted:
        """Exchanges a refresh token of the client's own; a spent one that comes back ends its session."""
        if "refresh_token" not in client.grant_types:
            raise UnauthorizedClientError("the client may not use refresh_token")
        if "refresh_token" not in form:
            raise InvalidRequestError("refresh_token is missing")
        try:
            session, user, token = await self._sessions.rotated(form["refresh_token"], client.client_id)
            await self._check(session, user)
            scope = tuple(one for one in session.scope if one in client.scopes)
            asked = within(form["scope"], scope) if "scope" in form else scope
            session = session.model_copy(update={"scope": asked})
            return await self._granted(client, session, user, token.text, nonce=None, sid=session.parent_id)
        except InvalidRefreshToken:
            raise InvalidGrantError(_ENDED) from None

    async def revoke(self, client: OAuthClient, session_id: str) -> None:
        """Ends a session of the client's own; any other is left alone."""
        session = await self._store.sessions.get(session_id)
        if session and session.client_id == client.client_id:
            await self._endings.end(session_id, "logout")

    async def of_token(self, client: OAuthClient, text: str) -> Session | None:
        """The session of a refresh token of the client's own that counts now."""
        session = await self._sessions.holding(text)
        if session is None or session.client_id != client.client_id:
            return None
        user = await self._store.users.get(session.user_id)
        try:
            if user is None:
                return None
            await self._check(session, user)
        except InvalidRefreshToken:
            return None
        return session

    async def _check(self, session: Session, user: User) -> None:
        """Whether grant and sign-in still stand behind a session. Raises InvalidRefreshToken."""
        if has_ended(session, user):
            raise InvalidRefreshToken
        if not await self._grants.holds(session.user_id, session.client_id or "", session.session_id):
            raise InvalidRefreshToken
        parent = await self._store.sessions.get(session.parent_id) if session.parent_id else None
        if session.parent_id and (parent is None or parent.ended_at):
            raise InvalidRefreshToken

    async def _used(self, key: str, client: OAuthClient, form: Form) -> AuthorizationCode:
        """Spends a code; of many at once one wins. Raises InvalidGrantError."""
        replayed = False

        def change(code: AuthorizationCode, emit: Emit) -> AuthorizationCode:
            nonlocal replayed
            if code.client_id != client.client_id:
                raise InvalidGrantError(_VOID)
            if replayed := code.used_at is not None:
                return code if code.replayed_at else code.model_copy(update={"replayed_at": clock.now()})
            _check_request(code, form)
            return code.model_copy(update={"used_at": clock.now()})

        try:
            code = (await self._store.codes.update(key, change=change)).value
        except Missing:
            raise InvalidGrantError(_VOID) from None
        if replayed:
            await self._endings.end(code.session_id, "reuse")
            raise InvalidGrantError(_VOID)
        return code

    async def _begun(self, client: OAuthClient, code: AuthorizationCode, parent: Session) -> tuple[Session, str]:
        now, offline = clock.now(), OFFLINE in code.scope
        idle = self._settings.offline_idle if offline else self._settings.session_idle
        expires_at = now + self._settings.offline_overall if offline else parent.expires_at
        token = await self._sessions.first_token(code.session_id)
        session = Session(
            session_id=code.session_id,
            user_id=code.user_id,
            organization_id=client.organization_id,
            amr=parent.amr,
            signed_in_at=parent.signed_in_at,
            authenticated_at=parent.authenticated_at,
            expires_at=expires_at,
            idle_expires_at=min(now + idle, expires_at),
            digest=token.digest,
            spent=None,
            ended_at=None,
            ended_because=None,
            idle_seconds=int(idle.total_seconds()),
            client_id=client.client_id,
            scope=code.scope,
            parent_id=None if offline else parent.session_id,
        )
        lives = expires_at - now + timedelta(days=1)
        await self._store.sessions.create(session.session_id, value=session, ttl=lives, fresh=True)
        return session, token.text

    async def _granted(
        self, client: OAuthClient, session: Session, user: User, token: str, *, nonce: str | None, sid: str | None
    ) -> Granted:
        try:
            access, _ = await self._sessions.access(session, user, client_changed_at=client.access_changed_at)
        except InvalidRefreshToken:
            raise InvalidGrantError(_ENDED) from None
        return Granted(
            access=access,
            scope=session.scope,
            refresh_token=token if "refresh_token" in client.grant_types else None,
            id_token=await self._id_token(session, access, nonce, sid) if OPENID in session.scope else None,
        )

    async def _id_token(self, session: Session, access: AccessToken, nonce: str | None, sid: str | None) -> str:
        """Who signed in, when and how (OpenID Connect Core §2), for the app alone."""
        now = int(clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self._settings.issuer,
            "sub": session.user_id,
            "aud": session.client_id,
            "iat": now,
            "exp": now + int(self._settings.access_token_ttl.total_seconds()),
            "auth_time": int(_proven_at(session).timestamp()),
            "amr": list(session.amr),
            "at_hash": create_half_hash(access.text, "ES256").decode(),
        }
        extra = {"nonce": nonce, "sid": sid}
        return await self._access_tokens.id_token(claims | {name: value for name, value in extra.items() if value})


def _check_request(code: AuthorizationCode, form: Form) -> None:
    """Raises InvalidGrantError for a code that is too old, or comes with another request than it was asked by."""
    same = form.get("redirect_uri") == code.redirect_uri
    if clock.now() >= code.expires_at or not same or not proves(form.get("code_verifier", ""), code.code_challenge):
        raise InvalidGrantError(_VOID)


def _goes_on(session: Session, user: User) -> bool:
    return not session.ended_at and clock.now() < session.expires_at and not has_ended(session, user)


def _proven_at(session: Session) -> datetime:
    return session.authenticated_at or session.signed_in_at
