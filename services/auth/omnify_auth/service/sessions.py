"""Signing in, staying signed in, signing out."""

from dataclasses import dataclass

from omnify_auth.access import has_ended
from omnify_auth.errors import EmailNotVerified, InvalidCredentials, InvalidRefreshToken
from omnify_auth.events import SessionRevoked
from omnify_auth.hashing import Hasher
from omnify_auth.records import EndReason, Session, Spent, User
from omnify_auth.refresh import RefreshToken, RefreshTokens, judge
from omnify_auth.service.challenges import Challenges
from omnify_auth.service.directory import Directory, home_of, roles_in
from omnify_auth.service.guessing import Guessing
from omnify_auth.service.policy import MfaPolicies
from omnify_auth.settings import CLOCK_LEEWAY, AuthSettings
from omnify_auth.store import Store
from omnify_auth.tokens import AccessToken, AccessTokens
from omnify_auth.vault import RootKeys
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.revocations import Revocations

CHECKED = point("auth.login.checked")
WRITTEN = point("auth.login.written")
READ = point("auth.refresh.read")
ROTATED = point("auth.refresh.rotated")
SIGNED = point("auth.refresh.signed")
ENDED = point("auth.logout.ended")
REVOKED = point("auth.logout.revoked")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a sign-in or a refresh hands to the client."""

    access: AccessToken
    refresh: RefreshToken
    session: Session
    user: User
    roles: tuple[str, ...]


class Sessions:
    """One document per sign-in; its refresh tokens are a chain that ends as a whole."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        hasher: Hasher,
        guessing: Guessing,
        access_tokens: AccessTokens,
        roots: RootKeys,
        revocations: Revocations,
        settings: AuthSettings,
    ) -> None:
        self._directory = directory
        self._store = store
        self._hasher = hasher
        self._guessing = guessing
        self._access_tokens = access_tokens
        self._roots = roots
        self._revocations = revocations
        self._settings = settings
        self._challenges = Challenges(store)
        self._policy = MfaPolicies(store, settings)

    async def login(self, email: str, password: str) -> SignedIn:
        """Signs in with a password.

        Raises: InvalidCredentials (unknown address and wrong password alike); EmailNotVerified (right password only);
        MfaRequired (right password of a user with a second factor); TooManyGuesses; HashingBusy; SidecarUnavailable.
        """
        name = await self._directory.name(email)
        guard, address = await self._store.guard_and_address(name)
        self._guessing.admit(guard)
        user = await self._directory.claimed(address)
        matches = await self._hasher.verify(password, user.password if user else None)
        if user is None or not matches:
            await self._guessing.wrong(name, known=user is not None)
            raise InvalidCredentials
        await self._guessing.right(name)
        if user.verified_at is None:
            raise EmailNotVerified
        if await self._hasher.is_outdated(user.password):
            user = await self._rehashed(user, password)
        reach(CHECKED)
        await self._challenges.demand(user)
        return await self.started(user, ("pwd",))

    async def refresh(self, text: str) -> SignedIn:
        """Exchanges a refresh token for its successor and a new access token. Raises InvalidRefreshToken."""
        tokens = await self._refresh_tokens()
        token = tokens.read(text)
        if token is None:
            raise InvalidRefreshToken
        successor = tokens.successor(token)
        reach(READ)
        session = await self._exchanged(token, successor)
        reach(ROTATED)
        if session.ended_at:
            await self._revocations.add(session.session_id)
            raise InvalidRefreshToken
        user = await self._store.users.get(session.user_id)
        if user is None or has_ended(session, user):
            raise InvalidRefreshToken
        signed_in = await self._signed_in(session, user, successor)
        reach(SIGNED)
        return signed_in

    async def logout(self, session_id: str) -> None:
        """Ends a session; one that has ended already, or is gone, is no error."""

        def change(session: Session, emit: Emit) -> Session:
            return session if session.ended_at else self._ended(session, "logout", emit)

        try:
            await self._store.sessions.update(session_id, change=change)
        except Missing:
            return
        reach(ENDED)
        await self._revocations.add(session_id)
        reach(REVOKED)

    async def _rehashed(self, user: User, password: str) -> User:
        made, old = await self._hasher.hash(password), user.password

        def change(user: User, emit: Emit) -> User:
            return user.model_copy(update={"password": made}) if user.password == old else user

        return (await self._store.users.update(user.user_id, change=change)).value

    async def started(self, user: User, amr: tuple[str, ...]) -> SignedIn:
        """A new session of a user who proved who they are by `amr` (RFC 8176)."""
        now, session_id = clock.now(), new_id()
        token = (await self._refresh_tokens()).first(session_id)
        session = Session(
            session_id=session_id,
            user_id=user.user_id,
            organization_id=home_of(user),
            amr=amr,
            signed_in_at=now,
            expires_at=now + self._settings.refresh_absolute,
            idle_expires_at=now + self._settings.refresh_idle,
            digest=token.digest,
            spent=None,
            ended_at=None,
            ended_because=None,
        )
        await self._store.sessions.create(session_id, value=session, fresh=True)
        reach(WRITTEN)
        return await self._signed_in(session, user, token)

    async def _exchanged(self, token: RefreshToken, successor: RefreshToken) -> Session:
        now = clock.now()

        def change(session: Session, emit: Emit) -> Session:
            match judge(session, token.digest, now, self._settings.refresh_grace):
                case "rotate":
                    idle_expires_at = min(now + self._settings.refresh_idle, session.expires_at)
                    spent = Spent(digest=token.digest, at=now)
                    rotated = {"digest": successor.digest, "spent": spent, "idle_expires_at": idle_expires_at}
                    return session.model_copy(update=rotated)
                case "reused":
                    return self._ended(session, "reuse", emit)
                case "repeat":
                    return session
                case "ended":
                    raise InvalidRefreshToken

        try:
            return (await self._store.sessions.update(token.session_id, change=change)).value
        except Missing:
            raise InvalidRefreshToken from None

    def _ended(self, session: Session, because: EndReason, emit: Emit) -> Session:
        now = clock.now()
        dead_by = now + self._settings.access_token_ttl + CLOCK_LEEWAY
        emit(
            SessionRevoked(
                session_id=session.session_id,
                expires_at=dead_by,
                user_id=session.user_id,
                organization_id=session.organization_id,
            )
        )
        return session.model_copy(update={"ended_at": now, "ended_because": because})

    async def _signed_in(self, session: Session, user: User, refresh: RefreshToken) -> SignedIn:
        access, roles = await self.access(session, user)
        return SignedIn(access, refresh, session, user, roles)

    async def access(self, session: Session, user: User) -> tuple[AccessToken, tuple[str, ...]]:
        """An access token of a session as it is now, and its roles."""
        roles = roles_in(user, session.organization_id)
        limited = await self._policy.wants_enrolment(session, user, roles)
        access = await self._access_tokens.issue(
            session, roles, clock.now(), changed_at=user.access_changed_at, limited=limited
        )
        return access, () if limited else roles

    async def _refresh_tokens(self) -> RefreshTokens:
        return RefreshTokens(await self._roots.key("refresh tokens"))
