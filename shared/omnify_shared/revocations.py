"""Ended sessions, known to every replica within a second or so, asked without a call.

An app writes a revocation into a document of the current minute; each replica reads the last minutes' documents in one
bulk read per POLL. Access tokens live five minutes, so older minutes need not be looked at.
"""

import asyncio
import time
from datetime import timedelta

import structlog
from pydantic import BaseModel

from omnify_shared import clock
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.documents import Documents, Emit
from omnify_shared.state import StateStore

log = structlog.get_logger()

POLL = 1.0  # seconds
TOKEN_LIFE = timedelta(minutes=5)
MINUTES = 8  # the token's life, the leeway and the minute's own length


class _Minute(BaseModel):
    sessions: list[str] = []


class Revocations:
    """The sessions that ended within the life of an access token."""

    def __init__(self, sidecar: Sidecar, state: StateStore) -> None:
        self._sidecar = sidecar
        self._minutes = Documents(state, "revocations", _Minute, ttl=timedelta(minutes=MINUTES + 2))
        self._known: dict[int, set[str]] = {}
        self._ended: set[str] = set()
        self._read_at = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the ended sessions were last read: how old this replica's knowledge is at most."""
        return time.monotonic() - self._read_at

    def revoked(self, session_id: str) -> bool:
        """Whether the session has ended, as far as this replica knows."""
        return session_id in self._ended

    async def add(self, session_id: str) -> None:
        """Ends a session for all replicas of this app; returns when that is durable. Raises SidecarUnavailable."""
        minute = int(clock.now().timestamp() // 60)

        def append(known: _Minute, _: Emit) -> _Minute:
            return known if session_id in known.sessions else _Minute(sessions=[*known.sessions, session_id])

        self._ended.add(session_id)
        self._known.setdefault(minute, set()).add(session_id)
        await self._minutes.upsert(str(minute), initial=_Minute, change=append)

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
            self._known.setdefault(int(name), set()).update(document.sessions)
        for minute in [known for known in self._known if known < newest - MINUTES]:
            del self._known[minute]
        self._ended = set().union(*self._known.values())
        self._read_at = started
