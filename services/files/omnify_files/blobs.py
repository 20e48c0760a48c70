"""The bytes of files, in the binding `filestore`, under names made of ids alone: `<organisation>/<file>.<tag>.<n>`.

A name is written by one writer only, and nothing is written twice under one name, so a document that names a piece
names exactly these bytes; the SHA-256 beside it says whether the store kept them.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from omnify_files.records import FileRecord, Part, Span
from omnify_shared.dapr.bindings import LARGEST, MissingObject, ObjectStore

FILESTORE: Final = "filestore"
CHUNK: Final = LARGEST  # bytes of every piece but a content's last
_AT_ONCE: Final = 8


class DamagedContent(Exception):
    """A stored piece is gone or is not what was written."""


class Blobs:
    """Every method raises SidecarUnavailable while the store is down."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def put(self, file: FileRecord, tag: str, index: int, data: bytes) -> Part:
        """Stores a piece."""
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        await self._objects.put(_name(file, tag, index), data)
        return Part(tag=tag, index=index, size=len(data), sha256=digest)

    async def get(self, file: FileRecord, part: Part) -> bytes:
        """A piece, just as it was stored. Raises DamagedContent."""
        try:
            data = await self._objects.get(_name(file, part.tag, part.index))
        except MissingObject as error:
            raise DamagedContent(f"piece {part.index} is gone") from error
        digest = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        if digest != part.sha256:
            raise DamagedContent(f"piece {part.index} is not what was stored")
        return data

    async def read(self, file: FileRecord, parts: Sequence[Part]) -> AsyncIterator[bytes]:
        """All pieces in turn. Raises DamagedContent."""
        for part in parts:
            yield await self.get(file, part)

    async def read_between(
        self, file: FileRecord, parts: Sequence[Part], first: int, last: int
    ) -> AsyncIterator[bytes]:
        """The bytes from `first` to `last`, both included, of the pieces that hold them. Raises DamagedContent."""
        start = 0
        for part in parts:
            if start <= last and start + part.size > first:
                yield (await self.get(file, part))[max(0, first - start) : last + 1 - start]
            start += part.size

    async def drop(self, file: FileRecord, spans: Iterable[Span], *, keep: Iterable[Part] = ()) -> None:
        """Deletes whatever is in these places but the pieces to `keep`; doing it again changes nothing."""
        kept = {_name(file, part.tag, part.index) for part in keep}
        names = {_name(file, span.tag, index) for span in spans for index in _places(span)} - kept
        gate = asyncio.Semaphore(_AT_ONCE)

        async def delete(name: str) -> None:
            async with gate:
                await self._objects.delete(name)

        await asyncio.gather(*(delete(name) for name in names))


def spans_of(parts: Iterable[Part]) -> list[Span]:
    """Where these pieces are."""
    return [Span(tag=part.tag, first=part.index, last=part.index) for part in parts]


def all_spans(file: FileRecord) -> list[Span]:
    """Every place where bytes of a file may be."""
    return [*file.litter, *([file.writing] if file.writing else []), *spans_of([*file.parts, *kept_parts(file)])]


def kept_parts(file: FileRecord) -> list[Part]:
    """The pieces of what can be downloaded."""
    return [part for content in file.contents.values() for part in content.parts]


def _places(span: Span) -> range:
    return range(span.first, span.last + 1)


def _name(file: FileRecord, tag: str, index: int) -> str:
    return f"{file.organization_id}/{file.file_id}.{tag}.{index}"
