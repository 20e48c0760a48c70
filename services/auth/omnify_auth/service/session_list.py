"""Where a user is signed in: one document per user, which names sessions; each session's own document decides."""

from collections.abc import Iterable
from dataclasses import dataclass

from omnify_auth.access import has_ended
from omnify_auth.devices import Client, described
from omnify_auth.events import LetterRequested
from omnify_auth.records import EndReason, KnownDevice, ListedSession, Session, User, UserSessions
from omnify_auth.service.endings import Endings
from omnify_auth.service.letters import Letters, moment
from omnify_auth.service.sealing import Sealing
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Standing, Store
from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_shared.problems import NotFound

_DEVICES = 30  # known ones of a user; the one not used for longest is forgotten


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that goes on, and what was seen of its device at the sign-in."""

    seen: ListedSession
    session: Session


class SessionList:
    """A session is listed before its first token is handed out, so none goes on unseen."""

    def __init__(
        self, store: Store, sealing: Sealing, endings: Endings, letters: Letters, settings: AuthSettings
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._endings = endings
        self._letters = letters
        self._most = settings.sessions_per_user

    async def add(self, user: User, session: Session, client: Client, standing: Standing) -> None:
        """Lists a new session, ends the oldest beyond the limit, and tells the user of a device not seen before.

        `standing` was read a moment ago.
        """
        seen = ListedSession(
            session_id=session.session_id,
            device_id=client.device_id(user.user_id),
            user_agent=client.user_agent,
            network=client.network,
            signed_in_at=session.signed_in_at,
            expires_at=session.expires_at,
        )
        before = standing.sessions
        known = before.value or _nothing(user.user_id)
        over = await self._room_made(user, known)
        notice = await self._notice(user, seen) if known.devices and not _knows(known, seen) else None

        kept = await self._sealing.of_session(user.user_id, seen, standing.profile)

        def change(listed: UserSessions, emit: Emit) -> UserSessions:
            if notice and not _knows(listed, seen):
                emit(notice)
            return _with(listed, kept, over)

        nothing = _nothing(user.user_id)
        await self._store.user_sessions.upsert(user.user_id, initial=lambda: nothing, change=change, seen=before)

    async def shown(self, user_id: str) -> tuple[LiveSession, ...]:
        """As `live`, with what was seen of their devices."""
        found = await self.live(user_id)
        return tuple([LiveSession(await self._sealing.session(user_id, one.seen), one.session) for one in found])

    async def live(self, user_id: str) -> tuple[LiveSession, ...]:
        """The sessions of a user that go on, newest first; what was seen of their devices is sealed."""
        user = await self._store.users.get(user_id)
        return await self._live(user, await self._of(user_id)) if user else ()

    async def end(self, user_id: str, session_id: str) -> None:
        """Ends one of the user's sessions. Raises NotFound for any other."""
        if not await self._end_those(one for one in await self.live(user_id) if one.seen.session_id == session_id):
            raise NotFound("no such session")

    async def end_device(self, user_id: str, device_id: str) -> int:
        """Ends the sessions of one device; how many those were."""
        return await self._end_those(one for one in await self.live(user_id) if one.seen.device_id == device_id)

    async def end_all(self, user_id: str, *, kept: str | None = None) -> int:
        """Ends all sessions, but `kept`; how many those were."""
        live = await self.live(user_id)
        await self._endings.end_all(user_id, kept=kept)
        return sum(one.seen.session_id != kept for one in live)

    async def end_in(self, user_id: str, organization_id: str) -> int:
        """Ends the sessions that work in one organisation; how many those were."""
        live = await self.live(user_id)
        return await self._end_those(one for one in live if one.session.organization_id == organization_id)

    async def _of(self, user_id: str) -> UserSessions:
        return await self._store.user_sessions.get(user_id) or _nothing(user_id)

    async def _live(self, user: User, listed: UserSessions) -> tuple[LiveSession, ...]:
        sessions = await self._store.sessions.get_many((seen.session_id,) for seen in listed.sessions)
        found = ((seen, sessions.get((seen.session_id,))) for seen in reversed(listed.sessions))
        return tuple(LiveSession(seen, session) for seen, session in found if session and _goes_on(session, user))

    async def _room_made(self, user: User, listed: UserSessions) -> set[str]:
        """Ends what is too much with one more; the sessions that need not be listed any longer."""
        if len(listed.sessions) < self._most:
            return set()
        live = await self._live(user, listed)
        await self._end_those(live[self._most - 1 :], None)
        staying = {one.seen.session_id for one in live[: self._most - 1]}
        return {seen.session_id for seen in listed.sessions} - staying

    async def _end_those(self, sessions: Iterable[LiveSession], because: EndReason | None = "logout") -> int:
        ids = [one.seen.session_id for one in sessions]
        for session_id in ids:
            await self._endings.end(session_id, because)
        return len(ids)

    async def _notice(self, user: User, seen: ListedSession) -> LetterRequested:
        values = {
            "device": described(seen.user_agent) or "an unknown program",
            "network": seen.network or "an unknown network",
            **moment(seen.signed_in_at),
        }
        return await self._letters.write("new_device", user, values=values)


def _goes_on(session: Session, user: User) -> bool:
    over = session.ended_at or clock.now() >= min(session.expires_at, session.idle_expires_at)
    return not over and not has_ended(session, user)


def _nothing(user_id: str) -> UserSessions:
    return UserSessions(user_id=user_id, sessions=(), devices=())


def _knows(listed: UserSessions, seen: ListedSession) -> bool:
    return any(device.device_id == seen.device_id for device in listed.devices)


def _with(listed: UserSessions, seen: ListedSession, over: set[str]) -> UserSessions:
    staying = (one for one in listed.sessions if one.session_id not in over and seen.signed_in_at < one.expires_at)
    others = (device for device in listed.devices if device.device_id != seen.device_id)
    used = KnownDevice(device_id=seen.device_id, last_used_at=seen.signed_in_at)
    return listed.model_copy(update={"sessions": (*staying, seen), "devices": (used, *others)[:_DEVICES]})
