"""Aggregates as documents: one per aggregate, written with its ETag, its events inside the same write.

The rules of the stores behind are in docs/decisions/0002-documents.md; what follows from them: a change is read,
decide, write, and decides again on a conflict; uniqueness is a claim document; lists are index documents.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel

from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists, Contended, Missing, Stale, StateConflict
from omnify_shared.envelope import GONE, Codec, Envelope, Wire, pending, remaining
from omnify_shared.events.model import CloudEvent, EventData
from omnify_shared.events.outbox import Outbox
from omnify_shared.faults import point, reach
from omnify_shared.forms import Form
from omnify_shared.ids import new_id
from omnify_shared.state import Entry, StateStore

M = TypeVar("M", bound=BaseModel)
Key = tuple[str, ...]
Emit = Callable[[EventData], None]

WRITTEN = point("outbox.event.written")

TRIES = 12
GONE_FOR = timedelta(minutes=5)  # far longer than a write may be under way
MAX_KEY = 512  # characters


@dataclass(frozen=True, slots=True)
class Stored(Generic[M]):
    """A document as read or written: its value and its version (1 for a new one)."""

    value: M
    version: int


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[M]):
    envelope: Envelope[M]
    etag: str


@dataclass(frozen=True, slots=True)
class Seen(Generic[M]):
    """What a read found, perhaps nothing: a change that is decided on it need not read again."""

    loaded: _Loaded[M] | None

    @property
    def value(self) -> M | None:
        return self.loaded.envelope.data if self.loaded else None


def key_of(kind: str, parts: Iterable[str]) -> str:
    """The state key `<kind>/<part>/…`. Raises ValueError for parts that no store could hold."""
    key = "/".join((kind, *parts))
    if "||" in key or not all(parts) or len(key) > MAX_KEY:
        raise ValueError(f"not a usable key: {key[:80]!r}")
    return key


class Documents(Generic[M]):
    """Documents of one kind. `model` may declare `schema_version` and `upgrade(data, from_version)`.

    All methods raise SidecarUnavailable while the store can't be reached. Emitting events needs an `outbox`.
    """

    def __init__(
        self,
        state: StateStore,
        kind: str,
        model: type[M],
        *,
        outbox: Outbox | None = None,
        ttl: timedelta | None = None,
        last: str | None = None,
    ) -> None:
        """`last` is what the keys end in, where documents of one kind have several models."""
        state.forms.note(Form(kind, model, last))
        self.kind = kind
        self._state = state
        self._codec = Codec(model)
        self._outbox = outbox
        self._ttl = ttl

    async def get(self, *key: str) -> M | None:
        """The document's value, or None."""
        stored = await self.load(*key)
        return stored.value if stored else None

    async def load(self, *key: str) -> Stored[M] | None:
        """The document with its version, or None."""
        found = await self._read(key_of(self.kind, key))
        return Stored(found.envelope.data, found.envelope.version) if found else None

    async def get_many(self, keys: Iterable[Key]) -> dict[Key, M]:
        """The values that exist among `keys`, by bulk reads."""
        names = {key_of(self.kind, key): key for key in keys}
        found = await self._state.get_many(names)
        loaded = {names[name]: self._loaded(entry) for name, entry in found.items()}
        return {key: one.envelope.data for key, one in loaded.items() if one}

    async def look(self, *key: str) -> Seen[M]:
        """The document as `upsert` may start from."""
        return Seen(await self._read(key_of(self.kind, key)))

    def seen(self, found: Mapping[str, Entry], *key: str) -> Seen[M]:
        """One document in what a bulk read of several kinds found; its keys are those of `key_of`."""
        return Seen(self._loaded(found.get(key_of(self.kind, key))))

    async def fresh_id(self) -> str:
        """An id for a new document that is created with events at once, which is cheaper than with any other id."""
        return await self._outbox.fresh_id(self.kind) if self._outbox else new_id()

    async def create(
        self,
        *key: str,
        value: M,
        events: Sequence[EventData] = (),
        ttl: timedelta | None = None,
        fresh: bool = False,
    ) -> Stored[M]:
        """Writes a new document. Raises AlreadyExists when there is one; of many at once exactly one wins.

        `fresh` says that the key was just made and is nobody else's: what is there under it is this very write.
        """
        name = key_of(self.kind, key)
        wires = self._wires(events, key[-1], 1)
        envelope = Envelope(1, value, wires, self._expiry(ttl or self._ttl))
        try:
            await self._write(name, envelope, wires, etag=None)
        except AlreadyExists:
            if not fresh:
                raise
        return Stored(value, 1)

    async def update(self, *key: str, change: Callable[[M, Emit], M], ttl: timedelta | None = None) -> Stored[M]:
        """Reads, lets `change` decide, writes; on a conflict reads and decides again.

        `change(value, emit)` returns the new value (the very same object means: nothing to write) and may raise to
        refuse. `emit` adds an event to this write. `ttl` starts the time to live anew.
        Raises: Missing when there is no such document; Contended after TRIES conflicts; what `change` raises.
        """
        return await self._change(key, change, ttl, initial=None)

    async def upsert(
        self,
        *key: str,
        initial: Callable[[], M],
        change: Callable[[M, Emit], M],
        ttl: timedelta | None = None,
        seen: Seen[M] | None = None,
    ) -> Stored[M]:
        """As `update`, starting from `initial()` when there is no document yet, and first from `seen` if given."""
        return await self._change(key, change, ttl, initial=initial, seen=seen)

    async def delete(self, *key: str) -> None:
        """Deletes a document; a missing one is no error.

        A mark takes its place for GONE_FOR, so that a conditional write which is under way finds its ETag gone: on
        MongoDB one to a key that is not there would bring the document back.
        """
        await self._state.put(key_of(self.kind, key), GONE, ttl=GONE_FOR)

    async def _change(
        self,
        key: Key,
        change: Callable[[M, Emit], M],
        ttl: timedelta | None,
        initial: Callable[[], M] | None,
        seen: Seen[M] | None = None,
    ) -> Stored[M]:
        name = key_of(self.kind, key)
        for attempt in range(TRIES):
            found = seen.loaded if seen and attempt == 0 else await self._read(name)
            if found is None and initial is None:
                raise Missing(name)
            before = found.envelope if found else Envelope(0, initial())  # type: ignore[misc]
            emitted: list[EventData] = []
            value = change(before.data, emitted.append)
            if value is before.data and found and not emitted:
                return Stored(value, before.version)
            wires = self._wires(emitted, key[-1], before.version + 1)
            fresh_ttl = ttl or (None if found else self._ttl)
            expires_at = self._expiry(fresh_ttl) if fresh_ttl else before.expires_at
            after = Envelope(before.version + 1, value, before.outbox + wires, expires_at, before.unknown)
            try:
                await self._write(name, after, wires, etag=found.etag if found else None)
                return Stored(value, after.version)
            except StateConflict:
                await asyncio.sleep(random.random() * 0.004 * 2 ** min(attempt, 6))  # noqa: S311 - jitter
        raise Contended(f"{self.kind} changed {TRIES} times while this request tried to change it")

    async def _read(self, name: str) -> _Loaded[M] | None:
        return self._loaded(await self._state.get(name))

    def _loaded(self, entry: Entry | None) -> _Loaded[M] | None:
        if entry is None or entry.data == GONE:
            return None
        envelope = self._codec.decode(entry.data)
        return None if _expired(envelope) else _Loaded(envelope, entry.etag)

    async def _write(self, name: str, envelope: Envelope[M], events: list[Wire], *, etag: str | None) -> None:
        outbox = self._outbox
        if not events or outbox is None:
            return await self._put(name, self._codec.encode(envelope), etag, remaining(envelope.expires_at))
        await outbox.reserve(name)
        try:
            await self._put_with(events, name, envelope, etag)
        except StateConflict:
            outbox.release(name)
            raise
        except BaseException:
            outbox.unsure(name)
            raise
        reach(WRITTEN)
        outbox.committed(name, events)

    async def _put_with(self, events: list[Wire], name: str, envelope: Envelope[M], etag: str | None) -> None:
        """A store's driver repeats a write whose answer was lost, and may then take our own write for a conflict."""
        try:
            await self._put(name, self._codec.encode(envelope), etag, remaining(envelope.expires_at))
        except StateConflict:
            entry = await self._state.get(name)
            there = {event["id"] for event in pending(entry.data)} if entry else set()
            if not there.issuperset(event["id"] for event in events):
                raise

    async def _put(self, name: str, data: bytes, etag: str | None, ttl: timedelta | None) -> None:
        try:
            await self._state.put(name, data, etag=etag, create=etag is None, ttl=ttl)
        except AlreadyExists:
            entry = await self._state.get(name)
            if entry is None or self._loaded(entry):
                raise
            await self._replace(name, data, entry.etag, ttl)

    async def _replace(self, name: str, data: bytes, etag: str, ttl: timedelta | None) -> None:
        try:
            await self._state.put(name, data, etag=etag, ttl=ttl)
        except Stale as error:
            raise AlreadyExists(name) from error

    def _wires(self, events: Sequence[EventData], subject: str, version: int) -> list[Wire]:
        if not events:
            return []
        if self._outbox is None:
            raise RuntimeError(f"{self.kind}: emitting events needs an outbox")
        source = self._outbox.source
        return [CloudEvent.of(data, source=source, subject=subject, sequence=version).wire() for data in events]

    @staticmethod
    def _expiry(ttl: timedelta | None) -> float | None:
        return clock.now().timestamp() + ttl.total_seconds() if ttl else None


def _expired(envelope: Envelope[M]) -> bool:
    """Whether a document's time is over; stores remove such documents up to a minute later."""
    return envelope.expires_at is not None and envelope.expires_at <= clock.now().timestamp()


class _Claim(BaseModel):
    owner: str


class Claims:
    """Uniqueness: a claim document per name, created with first-write.

    A claim by the present owner succeeds again, so that a flow that crashed half-way can be repeated.
    """

    def __init__(self, state: StateStore, kind: str) -> None:
        self._state = state
        self._claims = Documents(state, kind, _Claim)

    async def claim(self, name: str, owner: str, ttl: timedelta | None = None) -> bool:
        """True when `owner` has the name now. Of many at once exactly one wins."""
        try:
            await self._claims.create(name, value=_Claim(owner=owner), ttl=ttl)
        except AlreadyExists:
            return await self.owner_of(name) == owner
        return True

    async def owner_of(self, name: str) -> str | None:
        """Who has the name, or None."""
        claim = await self._claims.get(name)
        return claim.owner if claim else None

    async def release(self, name: str, owner: str) -> bool:
        """Frees a name that `owner` has; False when somebody else has it."""
        key = key_of(self._claims.kind, (name,))
        entry = await self._state.get(key)
        if entry is None or await self.owner_of(name) != owner:
            return False
        try:
            await self._state.delete(key, etag=entry.etag)
        except Stale:
            return False
        return True
