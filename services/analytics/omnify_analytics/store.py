"""All state of the analytics service. Keys name the organisation first: `<kind>/<organisation>/…`."""

import asyncio
import base64
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from omnify_analytics.records import DayFacts, FactPiece, FileClaim, Import, Ledger, Manifest, OpenImports
from omnify_shared.authorship import Authorship
from omnify_shared.documents import Documents, key_of
from omnify_shared.envelope import Codec
from omnify_shared.events.outbox import Outbox
from omnify_shared.forms import Form
from omnify_shared.indexes import Index
from omnify_shared.state import StateStore

CHUNK_BYTES: Final = 1024 * 1024
CHUNK_LIFE: Final = timedelta(days=7)  # an upload that was never acknowledged goes by itself
MESSAGE_BYTES: Final = 2 * 1024 * 1024  # per call, half of what the sidecar takes
AT_ONCE: Final = 4
_OPEN: Final = "all"
FORMS: Final = (Form("chunk", str, enveloped=False), Form("fact", DayFacts, enveloped=False))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A ledger and the ETag that says whether it changed; an organisation without imports has the ETag ""."""

    etag: str
    ledger: Ledger


class FactsMissing(Exception):
    """Facts that the ledger counted are gone: it was changed meanwhile, read it again."""


class NotWritten(Exception):
    """The store did not keep what it had taken."""


class AnalyticsStore:
    """Imports, their raw bytes, facts and ledgers. Every method raises SidecarUnavailable while the store is down."""

    def __init__(self, state: StateStore, outbox: Outbox, *, facts_per_write: int) -> None:
        for form in FORMS:
            state.forms.note(form)
        self._state = state
        self._facts_per_write = facts_per_write
        self.imports = Documents(state, "import", Import, outbox=outbox)
        self.listed = Index(state, "imports")
        self.of_users = Authorship(state, "user-imports", self.imports, nobody="")
        self.claims = Documents(state, "file", FileClaim)
        self._open = Documents(state, "open-imports", OpenImports)
        self._manifests = Documents(state, "manifest", Manifest)
        self._ledgers = Documents(state, "ledger", Ledger)
        self._ledger_codec = Codec(Ledger)
        self._ledger_seen: dict[str, LedgerState] = {}

    async def open_imports(self) -> list[tuple[str, str]]:
        """Organisation and id of the imports that are not done with."""
        found = await self._open.get(_OPEN)
        return found.imports if found else []

    async def add_open(self, organization_id: str, import_id: str) -> None:
        """Makes an import findable for every replica."""
        entry = (organization_id, import_id)
        await self._open.upsert(
            _OPEN,
            initial=OpenImports,
            change=lambda now, _: now if entry in now.imports else OpenImports(imports=[*now.imports, entry]),
        )

    async def remove_open(self, organization_id: str, import_id: str) -> None:
        """Undoes `add_open`."""
        entry = (organization_id, import_id)
        await self._open.upsert(
            _OPEN,
            initial=OpenImports,
            change=lambda now, _: (
                OpenImports(imports=[other for other in now.imports if other != entry]) if entry in now.imports else now
            ),
        )

    async def ledger(self, organization_id: str) -> LedgerState:
        """What counts now: one small read, decoded only when it changed."""
        entry = await self._state.get(key_of("ledger", (organization_id,)))
        if entry is None:
            return LedgerState("", Ledger())
        seen = self._ledger_seen.get(organization_id)
        if seen is None or seen.etag != entry.etag:
            seen = LedgerState(entry.etag, self._ledger_codec.decode(entry.data).data)
            if len(self._ledger_seen) >= 1000:
                self._ledger_seen.pop(next(iter(self._ledger_seen)))
            self._ledger_seen[organization_id] = seen
        return seen

    async def commit(self, organization_id: str, change: Callable[[Ledger], Ledger]) -> Ledger:
        """Changes the ledger in one conditional write. Raises what `change` raises."""
        stored = await self._ledgers.upsert(organization_id, initial=Ledger, change=lambda now, _: change(now))
        return stored.value

    async def close(self, organization_id: str) -> Ledger:
        """Has nothing count for an organisation from now on; the ledger before."""
        before: list[Ledger] = []

        def change(ledger: Ledger) -> Ledger:
            before.append(ledger)
            return ledger if ledger.closed else Ledger(closed=True)

        await self.commit(organization_id, change)
        return before[-1]

    async def put_chunk(self, import_id: str, number: int, raw: bytes) -> None:
        """Keeps a piece of an uploaded file."""
        data = await asyncio.to_thread(_packed, raw)
        await self._state.put(_chunk_key(import_id, number), data, ttl=CHUNK_LIFE)

    async def chunks(self, import_id: str, count: int) -> list[bytes]:
        """The pieces of a file, still packed (see `unpacked`). Raises LookupError when one is gone."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def read(number: int) -> bytes:
            async with gate:
                entry = await self._state.get(_chunk_key(import_id, number))
            if entry is None:
                raise LookupError(f"chunk {number} of import {import_id} is gone")
            return entry.data

        return list(await asyncio.gather(*(read(number) for number in range(count))))

    async def delete_chunks(self, import_id: str, count: int) -> None:
        """Drops the kept file."""
        for number in range(count):
            await self._state.delete(_chunk_key(import_id, number))

    async def put_facts(
        self, organization_id: str, import_id: str, facts: Iterable[tuple[FactPiece, bytes]]
    ) -> AsyncIterator[int]:
        """Writes facts and reads them back; yields how many are safely there. Doing it again changes nothing.

        Raises NotWritten when the store keeps losing them.
        """
        done = 0
        for part in _parts([(_fact_key(organization_id, import_id, piece), data) for piece, data in facts],
                           lambda item: len(item[1]), self._facts_per_write):  # fmt: skip
            await self._put_checked(part)
            done += len(part)
            yield done

    async def _put_checked(self, items: Sequence[tuple[str, bytes]]) -> None:
        left = list(items)
        for _ in range(3):
            await self._state.put_many(left)
            found = await self._state.get_many(key for key, _ in left)
            left = [(key, data) for key, data in left if key not in found or found[key].data != data]
            if not left:
                return
        raise NotWritten(f"{len(left)} fact documents were not kept")

    async def put_manifest(self, organization_id: str, import_id: str, manifest: Manifest) -> None:
        """Says where an import's facts lie."""
        await self._manifests.upsert(
            organization_id, import_id, initial=lambda: manifest, change=lambda _, __: manifest
        )

    async def facts(self, organization_id: str, import_ids: Sequence[str]) -> list[tuple[FactPiece, bytes]]:
        """The stored facts of imports (JSON, see `facts`), in that order. Raises FactsMissing."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def places(import_id: str) -> list[tuple[str, FactPiece]]:
            async with gate:
                manifest = await self._manifests.get(organization_id, import_id)
            if manifest is None:
                raise FactsMissing
            return [(_fact_key(organization_id, import_id, piece), piece) for piece in manifest.pieces]

        async def read(part: Sequence[tuple[str, FactPiece]]) -> list[tuple[FactPiece, bytes]]:
            async with gate:
                found = await self._state.get_many(key for key, _ in part)
            if len(found) < len(part):
                raise FactsMissing
            return [(piece, found[key].data) for key, piece in part]

        wanted = [place for found in await asyncio.gather(*map(places, import_ids)) for place in found]
        parts = await asyncio.gather(*(read(part) for part in _parts(wanted, lambda item: item[1].size, 100)))
        return [fact for part in parts for fact in part]

    async def delete_import(self, ended: Import) -> int:
        """Drops an import that has ended and all that belongs to it; how many fact documents those were."""
        facts = await self.delete_facts(ended.organization_id, ended.import_id)
        await self.delete_chunks(ended.import_id, ended.chunks)
        await self.claims.delete(ended.organization_id, ended.file)
        await self.imports.delete(ended.organization_id, ended.import_id)
        return facts

    async def delete_facts(self, organization_id: str, import_id: str, manifest: Manifest | None = None) -> int:
        """Drops the facts of an import that does not count, by its manifest; how many documents those were at most."""
        manifest = manifest or await self._manifests.get(organization_id, import_id)
        pieces = manifest.pieces if manifest else []
        for piece in pieces:
            await self._state.delete(_fact_key(organization_id, import_id, piece))
        await self._manifests.delete(organization_id, import_id)
        return len(pieces)


def unpacked(chunk: bytes) -> bytes:
    """The bytes of a kept piece."""
    return zlib.decompress(base64.b64decode(chunk[1:-1]))


def _packed(raw: bytes) -> bytes:
    """A JSON string, which every store keeps byte-equal."""
    return b'"' + base64.b64encode(zlib.compress(raw, 1)) + b'"'


def _chunk_key(import_id: str, number: int) -> str:
    return key_of("chunk", (import_id, str(number)))


def _fact_key(organization_id: str, import_id: str, piece: FactPiece) -> str:
    return key_of("fact", (organization_id, piece.day.isoformat(), import_id, str(piece.piece)))


def _parts(items: Iterable[T], size: Callable[[T], int], most: int) -> list[list[T]]:
    """Consecutive parts of at most `most` items and MESSAGE_BYTES in all."""
    parts: list[list[T]] = []
    room = 0
    for item in items:
        if not parts or len(parts[-1]) >= most or size(item) > room:
            parts.append([])
            room = MESSAGE_BYTES
        parts[-1].append(item)
        room -= size(item)
    return parts
