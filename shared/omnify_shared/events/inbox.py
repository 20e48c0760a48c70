"""The consumer's durable memory of events: what it has handled, what failed and why.

A record goes `started` → `done`, or `started` → `failed` → `started` …; its key is (source, id) of the event, which
every redelivery repeats. It lives for RETENTION, longer than any broker here redelivers.
"""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel

from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists, StateConflict
from omnify_shared.documents import Documents, Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.state import StateStore

BEGUN = point("inbox.event.begun")
DONE = point("inbox.event.done")

RETENTION = timedelta(days=7)
LEASE = 10.0  # seconds that a replica has to handle an event before another may take over


class Record(BaseModel):
    """What is known of one event."""

    status: Literal["started", "done", "failed"]
    owner: str
    at: float
    attempts: int
    reason: str | None = None


class Busy(Exception):
    """Another delivery of this event is being handled; try again later."""


class Inbox:
    """The records of one app."""

    def __init__(self, state: StateStore) -> None:
        self._records = Documents(state, "inbox", Record, ttl=RETENTION)
        self._replica = new_id()
        self._in_hand: set[tuple[str, str]] = set()

    async def begin(self, source: str, event_id: str) -> bool:
        """True when the event is ours to handle, False when it was handled before.

        Raises: Busy while another delivery holds its lease; SidecarUnavailable.
        """
        key = (source, event_id)
        if key in self._in_hand:
            raise Busy
        self._in_hand.add(key)
        try:
            ours = await self._take(key)
        except BaseException:
            self._in_hand.discard(key)
            raise
        if ours:
            reach(BEGUN)
        return ours

    async def _take(self, key: tuple[str, str]) -> bool:
        now = clock.now().timestamp()
        fresh = Record(status="started", owner=self._replica, at=now, attempts=1)
        try:
            await self._records.create(*key, value=fresh)
            return True
        except AlreadyExists:
            pass

        def take_over(record: Record, _: Emit) -> Record:
            held = record.status == "started" and record.owner != self._replica and now - record.at < LEASE
            if held:
                raise Busy
            if record.status == "done":
                return record
            return fresh.model_copy(update={"attempts": record.attempts + 1, "reason": record.reason})

        try:
            taken = (await self._records.upsert(*key, initial=lambda: fresh, change=take_over)).value
        except StateConflict as conflict:
            raise Busy from conflict
        if taken.status == "done":
            self._in_hand.discard(key)
            return False
        return True

    async def done(self, source: str, event_id: str) -> None:
        """The event was handled; from now on it is dropped."""
        await self._close(source, event_id, "done", None)
        reach(DONE)

    async def failed(self, source: str, event_id: str, reason: str) -> int:
        """The event could not be handled now. Returns how often it was tried. `reason` goes to its dead letter."""
        return (await self._close(source, event_id, "failed", reason)).attempts

    async def _close(self, source: str, event_id: str, status: Literal["done", "failed"], reason: str | None) -> Record:
        def close(record: Record, _: Emit) -> Record:
            # A handler without a record of its start (dedupe "effect") is counted here.
            attempts = record.attempts + (record.status == "failed")
            change = {"status": status, "reason": reason, "at": clock.now().timestamp(), "attempts": attempts}
            return record.model_copy(update=change)

        first = Record(status="started", owner=self._replica, at=clock.now().timestamp(), attempts=1)
        try:
            stored = await self._records.upsert(source, event_id, initial=lambda: first, change=close, ttl=RETENTION)
            return stored.value
        finally:
            self._in_hand.discard((source, event_id))

    async def recall(self, source: str, event_id: str) -> Record | None:
        """What is known of an event, or None."""
        return await self._records.get(source, event_id)
