"""The outbox's journal: which aggregates of this replica may hold unpublished events.

There is no API that lists keys, so a key is journalled before its aggregate is written with events. Writes are
group-committed: all keys that arrive while one write is under way share the next. A key that is still listed costs no
write. Keys stand in segments, documents of at most SEGMENT_KEYS keys, so that a long outage of the broker can't
outgrow the sidecar's message limit.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic_core import from_json, to_json

from omnify_shared import clock
from omnify_shared.forms import Form
from omnify_shared.state import StateStore

KIND = "outbox"
SEGMENT_KEYS = 256
LONG_DEAD = 600.0  # seconds; no two clocks of a platform are as far apart


@dataclass(frozen=True, slots=True)
class Head:
    """A replica's sign of life (unix seconds), and its first and last segment."""

    seen: float
    first: int
    last: int


FORMS = (
    Form(KIND, list[str], enveloped=False),
    Form(KIND, Head, last="head", enveloped=False),
    Form(KIND, list[str], last="replicas", enveloped=False),
)


def segment_key(replica: str, number: int) -> str:
    """Where a replica's segment lies."""
    return f"{KIND}/{replica}/{number}"


def head_key(replica: str) -> str:
    """Where a replica's head lies."""
    return f"{KIND}/{replica}/head"


@dataclass
class _Segment:
    number: int
    keys: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)


class Journal:
    """The journal of one replica. `reserve` before the write, `done` once all events of the key are out."""

    def __init__(self, state: StateStore, replica: str) -> None:
        for form in FORMS:
            state.forms.note(form)
        self._state = state
        self.replica = replica
        self._segments: dict[int, _Segment] = {}
        self._of: dict[str, int] = {}
        self._uses: dict[str, int] = {}
        self._last = -1
        self._head_last = -2
        self._writing = asyncio.Lock()

    @property
    def size(self) -> int:
        """How many aggregates may hold unpublished events."""
        return len(self._uses)

    @property
    def segments(self) -> list[int]:
        """The numbers of its segments."""
        return list(self._segments)

    async def reserve(self, *keys: str) -> None:
        """Makes the keys findable after a crash; returns when that is durable.

        Raises SidecarUnavailable, with the reservations taken back.
        """
        for key in keys:
            self._uses[key] = self._uses.get(key, 0) + 1
        placed = [(key, self._place(key)) for key in keys]
        try:
            for key, segment in placed:
                while key not in segment.stored:
                    async with self._writing:
                        if key not in segment.stored:
                            await self._write(segment)
        except BaseException:
            for key in keys:
                self.done(key)
            raise

    def done(self, key: str) -> None:
        """Takes one reservation back; the stored list is cleaned by a later write."""
        left = self._uses.get(key, 0) - 1
        if left > 0:
            self._uses[key] = left
            return
        self._uses.pop(key, None)
        number = self._of.pop(key, None)
        if number is not None:
            self._segments[number].keys.discard(key)

    def _place(self, key: str) -> _Segment:
        if key in self._of:
            return self._segments[self._of[key]]
        current = self._segments.get(self._last)
        if current is None or len(current.keys | current.stored) >= SEGMENT_KEYS:
            self._last += 1
            current = self._segments[self._last] = _Segment(self._last)
        current.keys.add(key)
        self._of[key] = current.number
        return current

    async def _write(self, segment: _Segment) -> None:
        if self._head_last < segment.number:
            await self.beat()
        keys = set(segment.keys)
        segment.stored &= keys
        await self._state.put(segment_key(self.replica, segment.number), to_json(sorted(keys)))
        segment.stored = keys

    async def beat(self) -> None:
        """Writes the head: which segments there are and that this replica is alive."""
        first = min(self._segments, default=self._last + 1)
        head = Head(seen=clock.now().timestamp(), first=first, last=self._last)
        await self._state.put(head_key(self.replica), to_json(head))
        self._head_last = self._last

    def write_anew(self) -> None:
        """Takes nothing for stored any more: the next `tidy`, or the next reservation, writes every segment again."""
        for segment in self._segments.values():
            segment.stored = set()
        self._head_last = -2

    async def tidy(self) -> None:
        """Rewrites segments that list keys no longer needed, and deletes the empty ones."""
        async with self._writing:
            for segment in list(self._segments.values()):
                if segment.keys == segment.stored and segment.keys:
                    continue
                if segment.keys or segment.number == self._last:
                    if segment.keys != segment.stored:
                        await self._write(segment)
                else:
                    await self._state.delete(segment_key(self.replica, segment.number))
                    del self._segments[segment.number]


class SignsOfLife:
    """When other replicas were last heard of, by our own clock alone: theirs may be ahead of it or behind."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, float]] = {}

    def silent(self, replica: str, seen: float, seconds: float) -> bool:
        """Whether its sign of life `seen` (unix seconds on its clock, 0 for none) is the same for so many seconds."""
        last, since = self._heard.get(replica, (None, 0.0))
        if seen != last:
            self._heard[replica] = (seen, time.monotonic())
            return seen == 0.0 or clock.now().timestamp() - seen > LONG_DEAD
        return seen == 0.0 or time.monotonic() - since >= seconds


async def signs_of(state: StateStore, replicas: Iterable[str]) -> dict[str, float]:
    """The last sign of life of each (unix seconds on its clock), 0 for one that left none; in one bulk read."""
    heads = {head_key(replica): replica for replica in replicas}
    found = await state.get_many(heads) if heads else {}
    return {name: float(from_json(found[key].data)["seen"]) if key in found else 0.0 for key, name in heads.items()}


async def read_journal(state: StateStore, replica: str) -> tuple[float, list[int], set[str]]:
    """Another replica's journal: when it was last seen (unix seconds), its segments and the keys they list."""
    head = await state.get(head_key(replica))
    if head is None:
        return 0.0, [], set()
    content = from_json(head.data)
    numbers = list(range(content["first"], content["last"] + 1))
    found = await state.get_many(segment_key(replica, number) for number in numbers)
    keys = {key for entry in found.values() for key in from_json(entry.data)}
    return float(content["seen"]), numbers, keys


async def forget_journal(state: StateStore, replica: str, segments: Iterable[int]) -> None:
    """Deletes a journal that is needed no longer; the head last, by which a crash in between can be mended."""
    for number in segments:
        await state.delete(segment_key(replica, number))
    await state.delete(head_key(replica))
