"""Sessions: their start, staying signed in, signing out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from omnify_auth.access import has_ended
from omnify_auth.devices import Client
from omnify_auth.errors import InvalidCredentials, InvalidRefreshToken
from omnify_auth.events import RefreshRefused, SessionStarted
from omnify_auth.records import Organization, Session, Spent, User
from omnify_auth.refresh import RefreshToken, RefreshTokens, judge
from omnify_auth.service.directory import grants_in, home_of, is_active, placed, roles_in
from omnify_auth.service.endings import Endings
from omnify_auth.service.letters import Letters
from omnify_auth.service.policy import MfaPolicies
from omnify_auth.service.roles import Roles
from omnify_auth.service.session_list import SessionList
from omnify_auth.service.session_policy import SessionPolicies
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Standing, Store
from omnify_auth.tokens import AccessToken, AccessTokens
from omnify_auth.vault import RootKeys
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach

WRITTEN = point("auth.login.written")
READ = point("auth.refresh.read")
ROTATED = point("auth.refresh.rotated")
SIGNED = point("auth.refresh.signed")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a sign-in or a refresh hands to the client."""

    access: AccessToken
    refresh: RefreshToken
    session: Session
    user: User
    roles: tuple[str, ...]


def _refused(session: Session, emit: Emit, now: datetime) -> Session:
    """The session that is over, with its first refusal noted: one event each, however often a token is tried."""
    if session.refused_at:
        return session
    whose = {"user_id": session.user_id, "organization_id": session.organization_id}
    emit(RefreshRefused(**whose, session_id=session.session_id))
    return session.model_copy(update={"refused_at": now})


class _Reused(Exception):
    """A refresh token came back after its successor was used."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.session_id)
        self.session = session


class Sessions:
    """One document per sign-in; its refresh tokens are a chain that ends as a whole."""

    def __init__(
        self,
        store: Store,
        access_tokens: AccessTokens,
        roots: RootKeys,
        endings: Endings,
        session_list: SessionList,
        letters: Letters,
        settings: AuthSettings,
    ) -> None:
        self._store = store
        self._access_tokens = access_tokens
        self._roots = roots
        self._endings = endings
        self._list = session_list
        self._letters = letters
        self._settings = settings
        self._policy = MfaPolicies(store, settings)
        self._roles = Roles(store)
        self._lengths = SessionPolicies(store, settings)

    async def refresh(self, text: str) -> SignedIn:
        """Exchanges a refresh token for its successor and a new access token. Raises InvalidRefreshToken."""
        session, user, successor = await self.rotated(text, None)
        signed_in = await self._signed_in(session, user, successor)
        reach(SIGNED)
        return signed_in

    async def rotated(self, text: str, client_id: str | None) -> tuple[Session, User, RefreshToken]:
        """The session of a refresh token, its user, and the token's successor.

        `client_id` is the app that asks, None for people's own clients: nobody uses another one's token.
        Raises InvalidRefreshToken.
        """
        tokens = await self._refresh_tokens()
        token = tokens.read(text)
        if token is None:
            raise InvalidRefreshToken
        successor = tokens.successor(token)
        reach(READ)
        try:
            session = await self._exchanged(token, successor, client_id)
        except _Reused as reused:
            await self._end_reused(reused.session)
            raise InvalidRefreshToken from None
        reach(ROTATED)
        user = await self._store.users.get(session.user_id)
        if user is None or has_ended(session, user):
            raise InvalidRefreshToken
        return session, user, successor

    async def holding(self, text: str) -> Session | None:
        """The session whose newest refresh token this is, while it goes on."""
        token = (await self._refresh_tokens()).read(text)
        session = await self._store.sessions.get(token.session_id) if token else None
        if token is None or session is None:
            return None
        return session if judge(session, token.digest, clock.now(), timedelta()) == "rotate" else None

    async def first_token(self, session_id: str) -> RefreshToken:
        """The refresh token that a session begins with."""
        return (await self._refresh_tokens()).first(session_id)

    async def used(self, session_id: str) -> Session | None:
        """A session that its user is seen to use without a refresh token, so that it stays; None once it has ended."""
        session = await self._store.sessions.get(session_id)
        now = clock.now()
        if session is None or not _goes_on(session, now):
            return None
        if min(now + self._idle(session), session.expires_at) - session.idle_expires_at < _MINUTE:
            return session

        def change(session: Session, emit: Emit) -> Session:
            if not _goes_on(session, now):
                return session
            return session.model_copy(update={"idle_expires_at": min(now + self._idle(session), session.expires_at)})

        try:
            session = (await self._store.sessions.update(session_id, change=change)).value
        except Missing:
            return None
        return session if _goes_on(session, now) else None

    async def logout(self, session_id: str) -> None:
        """Ends a session; one that has ended already, or is gone, is no error."""
        await self._endings.end(session_id, "logout")

    async def started(
        self, user: User, amr: tuple[str, ...], client: Client, standing: Standing | None = None
    ) -> SignedIn:
        """A new session of a user who proved who they are by `amr` (RFC 8176); `standing` if it was just read.

        Raises InvalidCredentials where the account is disabled: who owns it is told no more than one who guessed.
        """
        if user.blocked:
            raise InvalidCredentials
        standing = standing or await self._store.standing(user.user_id, home_of(user))
        lengths = self._lengths.lengths_of(standing.organization)
        token = await self.first_token(await self._store.sessions.fresh_id())
        now, session_id = clock.now(), token.session_id
        session = Session(
            session_id=session_id,
            user_id=user.user_id,
            organization_id=home_of(user),
            amr=amr,
            signed_in_at=now,
            expires_at=now + lengths.overall,
            idle_expires_at=now + min(lengths.idle, lengths.overall),
            digest=token.digest,
            spent=None,
            ended_at=None,
            ended_because=None,
            idle_seconds=int(lengths.idle.total_seconds()),
        )
        whose = {"user_id": user.user_id, "organization_id": session.organization_id}
        begun = SessionStarted(**whose, session_id=session_id, amr=amr)
        await self._store.sessions.create(session_id, value=session, events=[begun], fresh=True)
        await self._list.add(user, session, client, standing)
        reach(WRITTEN)
        return await self._signed_in(session, user, token, standing.organization)

    async def _exchanged(self, token: RefreshToken, successor: RefreshToken, client_id: str | None) -> Session:
        now = clock.now()

        def change(session: Session, emit: Emit) -> Session:
            if session.client_id != client_id:
                raise InvalidRefreshToken
            match judge(session, token.digest, now, self._settings.refresh_grace):
                case "rotate":
                    idle_expires_at = min(now + self._idle(session), session.expires_at)
                    spent = Spent(digest=token.digest, at=now)
                    rotated = {"digest": successor.digest, "spent": spent, "idle_expires_at": idle_expires_at}
                    return session.model_copy(update=rotated)
                case "reused":
                    raise _Reused(session)
                case "repeat":
                    return session
                case "ended":
                    return _refused(session, emit, now)

        try:
            session = (await self._store.sessions.update(token.session_id, change=change)).value
        except Missing:
            raise InvalidRefreshToken from None
        if session.refused_at:
            raise InvalidRefreshToken
        return session

    def _idle(self, session: Session) -> timedelta:
        most = self._settings.offline_idle if _is_offline(session) else self._settings.session_idle
        return most if session.idle_seconds is None else min(most, timedelta(seconds=session.idle_seconds))

    async def _end_reused(self, session: Session) -> None:
        user = await self._store.users.get(session.user_id)
        notice = await self._letters.write("session_reused", user) if user else None
        await self._endings.end(session.session_id, "reuse", notice)

    async def _signed_in(
        self, session: Session, user: User, refresh: RefreshToken, organization: Organization | None = None
    ) -> SignedIn:
        access, roles = await self.access(session, user, organization)
        return SignedIn(access, refresh, placed(session, user), user, roles)

    async def access(
        self,
        session: Session,
        user: User,
        organization: Organization | None = None,
        client_changed_at: datetime | None = None,
    ) -> tuple[AccessToken, tuple[str, ...]]:
        """An access token of a session as it is now, and its roles; `organization` if it was just read.

        `client_changed_at` is since when its app may do less. Raises InvalidRefreshToken for an app's in an
        organisation that its user has left.
        """
        if session.client_id and not is_active(user, session.organization_id):
            raise InvalidRefreshToken
        session = placed(session, user)
        roles = roles_in(user, session.organization_id)
        limited = await self._policy.wants_enrolment(session, user, roles, organization)
        own = (await self._roles.book_of(session.organization_id, roles)).own_permissions(roles)
        access = await self._access_tokens.issue(
            session,
            roles,
            clock.now(),
            permissions=own,
            grants=grants_in(user, session.organization_id),
            changed_at=max((at for at in (user.access_changed_at, client_changed_at) if at), default=None),
            limited=limited,
        )
        return access, () if limited else roles

    async def _refresh_tokens(self) -> RefreshTokens:
        return RefreshTokens(await self._roots.key("refresh tokens"))


def _goes_on(session: Session, now: datetime) -> bool:
    return not session.ended_at and now < min(session.expires_at, session.idle_expires_at)


def _is_offline(session: Session) -> bool:
    """Whether it is an app's that stands for itself."""
    return session.client_id is not None and session.parent_id is None
