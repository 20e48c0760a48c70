"""Ended sessions and outdated tokens, known to every replica within a second or so, asked without a call.

An app writes a revocation into a document of the current minute; each replica reads the last minutes' documents in one
bulk read per POLL. Access tokens live five minutes, so older minutes need not be looked at.
"""

import asyncio
import time
from datetime import datetime, timedelta

import structlog
from pydantic import BaseModel

from omnify_shared import clock
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.documents import Documents
from omnify_shared.state import StateStore

log = structlog.get_logger()

POLL = 1.0  # seconds
TOKEN_LIFE = timedelta(minutes=5)
MINUTES = 8  # the token's life, the leeway and the minute's own length


class Cut(BaseModel):
    """A user's tokens from before `before` are refused, but those of the session `kept`."""

    before: datetime
    kept: str | None = None


class _Minute(BaseModel):
    sessions: list[str] = []
    users: dict[str, list[Cut]] = {}


class Revocations:
    """The sessions that ended within the life of an access token."""

    def __init__(self, sidecar: Sidecar, state: StateStore) -> None:
        self._sidecar = sidecar
        self._minutes = Documents(state, "revocations", _Minute, ttl=timedelta(minutes=MINUTES + 2))
        self._known: dict[int, _Minute] = {}
        self._ended: set[str] = set()
        self._cuts: dict[str, list[Cut]] = {}
        self._read_at = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the ended sessions were last read: how old this replica's knowledge is at most."""
        return time.monotonic() - self._read_at

    def revoked(self, session_id: str) -> bool:
        """Whether the session has ended, as far as this replica knows."""
        return session_id in self._ended

    def outdated(self, user_id: str, session_id: str, issued_at: datetime) -> bool:
        """Whether the user's access changed after this token was issued, as far as this replica knows."""
        cuts = self._cuts.get(user_id)
        return bool(cuts) and any(issued_at < cut.before and session_id != cut.kept for cut in cuts or ())

    async def add(self, session_id: str) -> None:
        """Ends a session for all replicas of this app; returns when that is durable. Raises SidecarUnavailable."""
        await self._add(_Minute(sessions=[session_id]))

    async def cut(self, user_id: str, cut: Cut) -> None:
        """Refuses older tokens of a user in all replicas of this app, as `add` does. Raises SidecarUnavailable."""
        await self._add(_Minute(users={user_id: [cut]}))

    async def _add(self, new: _Minute) -> None:
        minute = int(clock.now().timestamp() // 60)
        self._known[minute] = _joined(self._known.get(minute, _Minute()), new)
        self._index()
        await self._minutes.upsert(str(minute), initial=_Minute, change=lambda known, _: _joined(known, new))

    async def run(self) -> None:
        """Reads what other replicas wrote, for the life of the process."""
        await self._sidecar.ready.wait()
        while True:
            try:
                await self.refresh()
            except SidecarError as error:
                log.warning("revocations not refreshed", reason=str(error))
            await asyncio.sleep(POLL)

    async def refresh(self) -> None:
        """One bulk read of the last minutes."""
        started = time.monotonic()
        newest = int(clock.now().timestamp() // 60)
        wanted = [(str(minute),) for minute in range(newest - MINUTES, newest + 2)]
        found = await self._minutes.get_many(wanted)
        for (name,), document in found.items():
            self._known[int(name)] = _joined(document, self._known.get(int(name), _Minute()))
        for minute in [known for known in self._known if known < newest - MINUTES]:
            del self._known[minute]
        self._index()
        self._read_at = started

    def _index(self) -> None:
        self._ended = {session for minute in self._known.values() for session in minute.sessions}
        self._cuts = {}
        for minute in self._known.values():
            for user_id, cuts in minute.users.items():
                self._cuts.setdefault(user_id, []).extend(cuts)


def _joined(known: _Minute, new: _Minute) -> _Minute:
    """What either of them says; the very same object when there is nothing new."""
    sessions = [session for session in new.sessions if session not in known.sessions]
    cuts = {
        user_id: [*known.users.get(user_id, []), *added]
        for user_id, given in new.users.items()
        if (added := [cut for cut in given if cut not in known.users.get(user_id, [])])
    }
    if not sessions and not cuts:
        return known
    return _Minute(sessions=[*known.sessions, *sessions], users={**known.users, **cuts})
