"""When which delivery is due: a wheel of spans of time, each a few documents, so that a restart forgets nothing.

    due/<span>/<shard>      the deliveries due in that span
    due-cursor/<shard>      the first span that may still hold something

What is due is taken by moving it to a span a lease ahead and out of its own: whoever takes it out has it, and if that
replica dies it is due again when the lease is over. An entry too many is harmless: the delivery itself says whether and
when it is to be tried (docs/decisions/0026-webhooks.md).
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from omnify_shared import clock
from omnify_shared.batches import Batches
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Documents, Emit
from omnify_webhooks.records import Due, DueCursor

WIDTH = 15  # seconds of a span
SHARDS = 4
FAIR = 32  # deliveries to one endpoint that are taken in one turn
GRACE = 4  # spans that stay open behind the present: clocks of replicas differ
SPANS_AT_ONCE = 400  # looked at in one turn, after a long absence


@dataclass(frozen=True, slots=True)
class Slot:
    """A delivery, and where it stands on the wheel."""

    organization_id: str
    endpoint_id: str
    message_id: str

    @property
    def name(self) -> str:
        """As an entry of a document."""
        return f"{self.organization_id}/{self.endpoint_id}/{self.message_id}"

    @property
    def key(self) -> tuple[str, str, str]:
        """As the key of the delivery's document."""
        return self.organization_id, self.endpoint_id, self.message_id

    @property
    def shard(self) -> int:
        """The same for all endpoints of a message, whose entries are then written together."""
        return sha256(self.message_id.encode()).digest()[0] % SHARDS

    @classmethod
    def of(cls, entry: str) -> "Slot":
        return cls(*entry.split("/")[:3])


@dataclass(frozen=True, slots=True)
class Held:
    """A slot that is this replica's until the lease, the `entry` at `place`, is over."""

    slot: Slot
    place: str
    entry: str
    until: datetime


class Wheel:
    """Adds, takes and removes. All methods raise SidecarUnavailable."""

    def __init__(self, due: Documents[Due], cursors: Documents[DueCursor], lease: float) -> None:
        self._due = due
        self._cursors = cursors
        self._lease = timedelta(seconds=lease)
        self._adding: Batches[tuple[str, float]] = Batches(self._add)
        self._removing: Batches[str] = Batches(self._remove)
        self._from: dict[int, int] = {}

    async def add(self, slot: Slot, at: datetime) -> Held:
        """Makes a delivery due at a time, now at the earliest."""
        at = max(at, clock.now())
        moment = at.timestamp()
        held = Held(slot, f"{int(moment // WIDTH)}/{slot.shard}", f"{slot.name}/{moment:.3f}", at)
        await self._adding.add(held.place, (held.entry, moment))
        return held

    async def hold(self, slot: Slot) -> Held:
        """Makes a delivery due when a lease from now is over, and this replica's until then."""
        return await self.add(slot, clock.now() + self._lease)

    async def drop(self, held: Held) -> None:
        """Takes a held delivery off the wheel: it is done, or due at another time by another entry."""
        await self._removing.add(held.place, held.entry)

    async def take(self, most: int, skip: Iterable[str] = ()) -> list[Held]:
        """At most `most` deliveries that are due, but for those named, held for this replica."""
        now, skipped = clock.now(), frozenset(skip)
        taken: list[Held] = []
        shares: Counter[str] = Counter()
        for place, due in (await self._spans(now)).items():
            entries = [entry for entry, at in due.entries.items() if at <= now.timestamp()]
            others = (entry for entry in entries if Slot.of(entry).name not in skipped)
            chosen = _fair(sorted(others, key=due.entries.__getitem__), shares, most - len(taken))
            if chosen:
                held = await asyncio.gather(*(self.hold(Slot.of(entry)) for entry in chosen))
                ours = await self._won(place, chosen)
                taken += [one for one, entry in zip(held, chosen, strict=True) if entry in ours]
        return taken

    async def _spans(self, now: datetime) -> Mapping[str, Due]:
        """The documents that may hold something due; moves the cursors over what is empty for good."""
        present = int(now.timestamp() // WIDTH)
        found: dict[str, Due] = {}
        for shard in range(SHARDS):
            first = await self._first(shard, present)
            spans = range(first, min(present, first + SPANS_AT_ONCE) + 1)
            documents = await self._due.get_many((str(span), str(shard)) for span in spans)
            found |= {"/".join(key): due for key, due in documents.items() if due.entries}
            full = [span for span in spans if (str(span), str(shard)) in documents
                    and documents[str(span), str(shard)].entries]  # fmt: skip
            await self._move(shard, first, min([*full, spans[-1], present - GRACE]), documents)
        return dict(sorted(found.items()))

    async def _first(self, shard: int, present: int) -> int:
        if shard not in self._from:
            fresh = DueCursor(span=present - GRACE)
            stored = await self._cursors.upsert(str(shard), initial=lambda: fresh, change=lambda now, _: now)
            self._from[shard] = stored.value.span
        return self._from[shard]

    async def _move(self, shard: int, first: int, to: int, documents: Mapping[tuple[str, ...], Due]) -> None:
        """Written once in a while: after a crash a few empty spans are looked at again."""
        if to <= first:
            return
        for key in documents:
            if int(key[0]) < to:
                await self._due.delete(*key)
        self._from[shard] = to
        if to // GRACE != first // GRACE:
            later = DueCursor(span=to)
            await self._cursors.upsert(
                str(shard), initial=lambda: later, change=lambda now, _: later if now.span < to else now
            )

    async def _won(self, place: str, entries: list[str]) -> set[str]:
        """Takes entries out; those that were still there are ours."""
        won: set[str] = set()

        def without(due: Due, _: Emit) -> Due:
            won.clear()
            won.update(entry for entry in entries if entry in due.entries)
            return Due(entries={name: at for name, at in due.entries.items() if name not in won}) if won else due

        try:
            await self._due.update(*place.split("/"), change=without)
        except Missing:
            won.clear()
        return won

    async def _add(self, place: str, entries: list[tuple[str, float]]) -> None:
        def more(due: Due, _: Emit) -> Due:
            return Due(entries=due.entries | dict(entries))

        await self._due.upsert(*place.split("/"), initial=Due, change=more)

    async def _remove(self, place: str, entries: list[str]) -> None:
        await self._won(place, entries)


def _fair(entries: Iterable[str], shares: Counter[str], most: int) -> list[str]:
    """The first of them, of each endpoint no more than its share: one that is down must not crowd out the others."""
    chosen: list[str] = []
    for entry in entries:
        endpoint_id = Slot.of(entry).endpoint_id
        if len(chosen) < most and shares[endpoint_id] < FAIR:
            shares[endpoint_id] += 1
            chosen.append(entry)
    return chosen
