"""The transactional outbox: an event is stored in the same write as its aggregate and published right after.

Why not Dapr's: it adds a second per event, needs the broker at write time and drops the partition key
(docs/decisions/0003-own-outbox.md). Here the order is: journal the key, write aggregate and events in one document,
publish with the events' fixed ids, clear them from the document. A crash after any step leaves a state from which the
next replica, or the next start, publishes; a second publication carries the same id and consumers drop it.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from datetime import datetime

import structlog
from pydantic_core import from_json, to_json

from omnify_shared import clock
from omnify_shared.dapr.client import CALL_TIMEOUT
from omnify_shared.dapr.errors import SidecarError, SidecarUnavailable, Stale, StateConflict
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.envelope import Wire, pending, without
from omnify_shared.events.journal import Journal, SignsOfLife, forget_journal, read_journal, signs_of
from omnify_shared.events.publisher import Publisher
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.state import Change, StateStore
from omnify_shared.tasks import Tasks

log = structlog.get_logger()

JOURNALLED = point("outbox.event.journalled")
PUBLISHED = point("outbox.event.published")
CLEARED = point("outbox.event.cleared")

REPLICAS_KEY = "outbox/replicas"
BEAT = 3.0  # seconds between signs of life
DEAD_AFTER = 12.0  # seconds without one
CLEAR_EVERY = 0.5  # seconds; clearing is lazy on purpose
CLEAR_BATCH = 40  # documents per transaction
AHEAD = 32  # ids of documents to be, journalled in one write
PARALLEL = 32  # publications under way at once
JOIN_TIMEOUT = 5.0  # seconds
DRAIN = 5.0  # seconds to publish what is left at shutdown


class Outbox:
    """The outbox of one replica. `Documents` drives it; services only emit events."""

    def __init__(self, sidecar: Sidecar, state: StateStore, tasks: Tasks, source: str, publisher: Publisher) -> None:
        self.source = source
        self._publisher = publisher
        self._sidecar = sidecar
        self._state = state
        self._tasks = tasks
        self._journal = Journal(state, new_id())
        self._ahead: dict[str, deque[str]] = {}
        self._looking_ahead = asyncio.Lock()
        self._queues: dict[str, deque[Wire]] = {}
        self._published: dict[str, set[str]] = {}
        self._publishing: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(PARALLEL)
        self._upkeep = asyncio.Lock()
        self._signs = SignsOfLife()
        self._joined = asyncio.Event()
        self._attending = asyncio.Lock()
        self._attended = False
        self._by_call = False
        self._recovered = asyncio.Event()

    @property
    def lag(self) -> int:
        """Events committed by this replica and not yet published."""
        return sum(len(queue) for queue in list(self._queues.values()))

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest event that `lag` counts; 0 when there is none."""
        waiting = [str(queue[0]["time"]) for queue in list(self._queues.values()) if queue]
        if not waiting:
            return 0.0
        return max(0.0, (clock.now() - min(map(datetime.fromisoformat, waiting))).total_seconds())

    @property
    def recovered(self) -> bool:
        """Whether leftovers of replicas that died have been looked for since the start."""
        return self._recovered.is_set()

    async def reserve(self, *keys: str) -> None:
        """Before aggregates are written with events. Raises SidecarUnavailable."""
        if self._by_call:
            await self._attend()
        elif not self._joined.is_set():
            await self._wait_joined()
        await self._journal.reserve(*keys)
        reach(JOURNALLED)

    async def fresh_id(self, kind: str) -> str:
        """An id for a new document of a kind, to be written with events at once. Raises SidecarUnavailable.

        Its key was journalled with those of others to come, so that its write has no other write before it. Should
        that entry be gone by then, `reserve` makes it anew.
        """
        async with self._looking_ahead:
            ahead = self._ahead.setdefault(kind, deque())
            if not ahead:
                made = [new_id() for _ in range(AHEAD)]
                await self.reserve(*(f"{kind}/{one}" for one in made))
                ahead.extend(made)
            fresh = ahead.popleft()
        self._journal.done(f"{kind}/{fresh}")
        return fresh

    @property
    def publishing(self) -> Set[asyncio.Task[None]]:
        """The publications under way, which last as long as the broker is away."""
        return self._publishing

    def begin_call(self) -> None:
        """In a process that is frozen between calls, in place of `run`: others may have taken this replica for dead.

        The first reservation that follows shows a sign of life, and writes anew what was taken along.
        """
        self._by_call, self._attended = True, False

    async def _attend(self) -> None:
        async with self._attending:
            if self._attended:
                return
            try:
                await self._sign_of_life()
            except StateConflict as error:
                raise SidecarUnavailable("events can't be recorded yet") from error
            self._attended = True

    async def end_call(self, seconds: float) -> bool:
        """Publishes and clears what the call left; False when that takes longer: it is journalled, and others will."""
        try:
            async with asyncio.timeout(seconds):
                await self._publish_and_clear()
        except (TimeoutError, SidecarError, StateConflict) as error:
            log.warning("outbox not empty after a call", reason=str(error) or type(error).__name__)
            return False
        return True

    async def _wait_joined(self) -> None:
        try:
            async with asyncio.timeout(JOIN_TIMEOUT):
                await self._joined.wait()
        except TimeoutError as error:
            raise SidecarUnavailable("events can't be recorded yet") from error

    def release(self, key: str) -> None:
        """When the write did not happen."""
        self._journal.done(key)

    def unsure(self, key: str) -> None:
        """When nobody knows whether the write happened: looks, and publishes what it finds."""
        self._tasks.spawn(self._settle(key), name=f"outbox settle {key}")

    async def _settle(self, key: str) -> None:
        await asyncio.sleep(2 * CALL_TIMEOUT)
        while True:
            try:
                entry = await self._state.get(key)
                break
            except SidecarError:
                await asyncio.sleep(1)
        known = self._published.get(key, set()) | {str(event["id"]) for event in self._queues.get(key, ())}
        left = [event for event in (pending(entry.data) if entry else []) if event["id"] not in known]
        if left:
            self.committed(key, left)
        else:
            self._journal.done(key)

    def committed(self, key: str, events: Sequence[Wire]) -> None:
        """After the write: publishes in the background, in order per aggregate. Takes over the reservation."""
        busy = key in self._queues
        if busy or key in self._published:
            self._journal.done(key)
        self._queues.setdefault(key, deque()).extend(events)
        if not busy:
            publishing = self._tasks.spawn(self._publish_all(key), name=f"outbox {key}")
            self._publishing.add(publishing)
            publishing.add_done_callback(self._publishing.discard)

    async def _publish_all(self, key: str) -> None:
        queue = self._queues[key]
        async with self._gate:
            while queue:
                await self._publisher.publish_until_taken(queue[0])
                reach(PUBLISHED)
                self._published.setdefault(key, set()).add(str(queue.popleft()["id"]))
        del self._queues[key]

    async def publish(self, event: Wire, *, topic: str | None = None) -> None:
        """Hands one event to the broker. Raises SidecarError; a returned call means the broker has it."""
        await self._publisher.publish(event, topic=topic)

    async def run(self) -> None:
        """Background duty of the replica: registers it, adopts what dead ones left, clears, shows signs of life."""
        await self._sidecar.ready.wait()
        beat_at = 0.0
        while True:
            try:
                if (now := clock.now().timestamp()) - beat_at > BEAT:
                    await self._sign_of_life()
                    beat_at = now
                await self._tidy()
            except (SidecarError, StateConflict) as error:
                log.warning("outbox upkeep postponed", reason=str(error))
            await asyncio.sleep(CLEAR_EVERY)

    async def _tidy(self) -> None:
        async with self._upkeep:
            await self._clear_all()
            await self._journal.tidy()

    async def _sign_of_life(self) -> None:
        await self._journal.beat()
        forgotten = await self._change_replicas(add=self._journal.replica)
        if forgotten and self._joined.is_set():
            # Paused for so long that another replica took it for dead, and took its journal along.
            self._journal.write_anew()
        self._joined.set()
        await self._adopt_all()
        self._recovered.set()

    async def _change_replicas(self, *, add: str | None = None, remove: str | None = None) -> bool:
        """Whether that changed anything."""
        for _ in range(20):
            entry = await self._state.get(REPLICAS_KEY)
            replicas = set(from_json(entry.data)) if entry else set()
            changed = (replicas | ({add} if add else set())) - {remove}
            if changed == replicas:
                return False
            try:
                etag = entry.etag if entry else None
                await self._state.put(REPLICAS_KEY, to_json(sorted(changed)), etag=etag, create=entry is None)
                return True
            except StateConflict:
                await asyncio.sleep(random.random() * 0.1)  # noqa: S311
        raise Stale(REPLICAS_KEY)

    async def _adopt_all(self) -> None:
        entry = await self._state.get(REPLICAS_KEY)
        others = [replica for replica in (from_json(entry.data) if entry else []) if replica != self._journal.replica]
        seen = await signs_of(self._state, others)
        for replica in others:
            if self._signs.silent(replica, seen[replica], DEAD_AFTER):
                await self._adopt(replica)

    async def _adopt(self, replica: str) -> None:
        _, segments, keys = await read_journal(self._state, replica)
        found = await self._state.get_many(keys)
        for key, entry in found.items():
            if left := pending(entry.data):
                log.info("publishing events left by a stopped replica", aggregate=key, events=len(left))
                await self._journal.reserve(key)
                self.committed(key, left)
        await self._remove(replica, segments)

    async def _remove(self, replica: str, segments: Iterable[int]) -> None:
        await forget_journal(self._state, replica, segments)
        await self._change_replicas(remove=replica)

    async def _clear_all(self) -> None:
        """Takes published events out of their documents, many at once; forgets a key once a read shows it clean."""
        out = {key: frozenset(ids) for key, ids in self._published.items() if key not in self._queues}
        found = await self._state.get_many(out) if out else {}
        changes: list[Change] = []
        for key, ids in out.items():
            entry = found.get(key)
            cleared = without(entry.data, ids) if entry else None
            if entry is None or cleared is None:
                self._forget(key, ids)
            else:
                changes.append(Change(key, cleared[0], entry.etag, cleared[1]))
        for start in range(0, len(changes), CLEAR_BATCH):
            await self._write_cleared(changes[start : start + CLEAR_BATCH])
            reach(CLEARED)

    async def _write_cleared(self, changes: Sequence[Change]) -> None:
        if len(changes) > 1 and await self._state.swap_many(changes):
            return
        for change in changes:
            with suppress(Stale):
                await self._state.put(change.key, change.data, etag=change.etag, ttl=change.ttl)

    def _forget(self, key: str, ids: frozenset[str]) -> None:
        self._published[key] -= ids
        if not self._published[key] and key not in self._queues:
            del self._published[key]
            self._journal.done(key)

    async def drain(self) -> None:
        """At shutdown: publishes and clears what is left, then leaves; what can't be done stays journalled."""
        try:
            async with asyncio.timeout(DRAIN):
                await self._publish_and_clear()
                if self._journal.size == 0 and self._recovered.is_set():
                    await self._remove(self._journal.replica, self._journal.segments)
        except (TimeoutError, SidecarError, StateConflict) as error:
            log.warning("outbox not drained; the next start goes on", reason=str(error) or type(error).__name__)

    async def _publish_and_clear(self) -> None:
        for kind, ahead in self._ahead.items():
            while ahead:
                self._journal.done(f"{kind}/{ahead.popleft()}")
        await asyncio.gather(*self._publishing)
        while self._journal.size and not self._queues:
            await self._tidy()
            # A write whose end nobody knows yet keeps its place in the journal: wait, but let others work.
            await asyncio.sleep(0.02)
        await self._tidy()
