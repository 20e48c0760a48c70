"""The audit log: every event of auth once, in the hash chain of its organisation.

Entry number n stands on page n // PAGE, and a page is begun when the one before is full; the ETag of the newest page
makes all replicas one writer. Events that come while a write is under way are appended together by the next one.
An event counts once without a record of its own: it was never recorded before it was made, so a repetition is found
on the pages written since.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from omnify_auth.audit import GENESIS, PAGE, Break, first_break, linked, scope_of
from omnify_auth.records import AuditEntry, AuditPage
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.documents import Emit, Seen
from omnify_shared.events import CloudEvent
from omnify_shared.tasks import Tasks

_SKEW = timedelta(minutes=2)  # that clocks of replicas may differ
_BATCH = 50  # events per write
_REMEMBERED = 4096  # chains
_EMPTY = AuditPage(entries=())
_Event = CloudEvent[Any]
_Waiting = tuple[_Event, asyncio.Future[None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many entries of a chain hold, the hash of the last of them, and where the chain breaks."""

    entries: int
    head: str
    broken: Break | None


class AuditLog:
    """The chains of this app."""

    def __init__(self, store: Store, tasks: Tasks) -> None:
        self._pages = store.audit
        self._tasks = tasks
        self._waiting: dict[str, list[_Waiting]] = {}
        self._newest_of: dict[str, int] = {}

    async def record(self, event: _Event) -> None:
        """Appends an event to its chain, unless it is there. Raises Contended, SidecarUnavailable.

        A guess at an address that nobody has belongs to none.
        """
        scope = scope_of(event)
        if scope is None:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if scope in self._waiting:
            self._waiting[scope].append((event, done))
        else:
            self._waiting[scope] = [(event, done)]
            self._tasks.spawn(self._write(scope), name="audit")
        await done

    async def _write(self, scope: str) -> None:
        while batch := self._waiting[scope][:_BATCH]:
            self._waiting[scope] = self._waiting[scope][_BATCH:]
            error: BaseException | None = None
            try:
                await self._append(scope, [event for event, _ in batch])
            except Exception as raised:
                error = raised
            for _, done in batch:
                if not done.done():
                    done.set_exception(error) if error else done.set_result(None)
        del self._waiting[scope]

    async def _append(self, scope: str, events: list[_Event]) -> None:
        number, seen = await self._newest(scope)
        page = seen.value or _EMPTY
        known = await self._recorded_since(scope, number, page, min(event.time for event in events) - _SKEW)
        left = [event for event in events if event.id not in known]
        previous = page.entries[-1].hash if page.entries else await self._hash_before(scope, number)
        start: Seen[AuditPage] | None = seen
        while left:
            appending = _Appending(number, previous, left)
            stored = await self._pages.upsert(scope, str(number), initial=lambda: _EMPTY, change=appending, seen=start)
            left, number, previous, start = appending.left, number + 1, stored.value.entries[-1].hash, None

    async def _recorded_since(self, scope: str, number: int, page: AuditPage, since: Any) -> set[str]:
        """The ids of the events on the pages that were begun after a time, and the one before."""
        known = {entry.event_id for entry in page.entries}
        while number and (not page.entries or page.entries[0].recorded_at >= since):
            number -= 1
            page = await self._page(scope, number)
            known |= {entry.event_id for entry in page.entries}
        return known

    async def _hash_before(self, scope: str, number: int) -> str:
        return (await self._page(scope, number - 1)).entries[-1].hash if number else GENESIS

    async def _page(self, scope: str, number: int) -> AuditPage:
        return await self._pages.get(scope, str(number)) or _EMPTY

    async def _newest(self, scope: str) -> tuple[int, Seen[AuditPage]]:
        """The newest page: pages stand without a gap, so it is found in steps that double and then halve, from where
        it was last. A full one is the newest while the next is not begun."""
        low = self._newest_of.get(scope, 0)
        page = await self._pages.look(scope, str(low))
        if low and not page.value:  # the store was put back to an earlier state
            low, page = 0, await self._pages.look(scope, "0")
        step = 1
        if page.value and len(page.value.entries) >= PAGE:
            while (found := await self._pages.look(scope, str(low + step))).value:
                low, page, step = low + step, found, step * 2
        while step > 1:
            step //= 2
            if (found := await self._pages.look(scope, str(low + step))).value:
                low, page = low + step, found
        if len(self._newest_of) >= _REMEMBERED:
            self._newest_of.clear()
        self._newest_of[scope] = low
        return low, page

    async def list(self, scope: str, before: int | None, limit: int) -> tuple[AuditEntry, ...]:
        """At most `limit` entries, newest first; with `before` those of smaller numbers."""
        number, _ = await self._newest(scope)
        if before is not None:
            number = min(number, (before - 1) // PAGE)
        found: list[AuditEntry] = []
        while number >= 0 and len(found) < limit:
            entries = (await self._page(scope, number)).entries
            found += [entry for entry in reversed(entries) if before is None or entry.sequence < before]
            number -= 1
        return tuple(found[:limit])

    async def pages(self, scope: str) -> AsyncIterator[AuditPage]:
        """The chain from its beginning."""
        number = 0
        while (page := await self._page(scope, number)).entries:
            yield page
            number += 1

    async def verify(self, scope: str) -> Verdict:
        """Recomputes the chain."""
        entries, head = 0, GENESIS
        async for page in self.pages(scope):
            if broken := first_break(page.entries, entries, head):
                return Verdict(broken.sequence, head, broken)
            entries, head = entries + len(page.entries), page.entries[-1].hash
        return Verdict(entries, head, None)


class _Appending:
    """Appends events to one page, up to its end; what was not taken is `left`."""

    def __init__(self, number: int, previous: str, events: list[_Event]) -> None:
        self._start = number * PAGE
        self._previous = previous
        self._events = events
        self.left = events

    def __call__(self, page: AuditPage, _: Emit) -> AuditPage:
        entries = list(page.entries)
        known = {entry.event_id for entry in entries}
        missing = list({event.id: event for event in self._events if event.id not in known}.values())
        room = PAGE - len(entries)
        for event in missing[:room]:
            previous = entries[-1].hash if entries else self._previous
            entries.append(linked(event, self._start + len(entries), previous, clock.now()))
        self.left = missing[room:]
        return AuditPage(entries=tuple(entries)) if len(entries) > len(page.entries) else page
