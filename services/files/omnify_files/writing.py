"""One request's bytes on their way into a file: cut into pieces, stored, and each counted once it is there.

The pieces of an upload lie on a grid of CHUNK bytes. A request that begins inside a piece writes that piece anew, under
a name of its own, so what is there already is never touched. While one piece is stored the next is read, and no more
than that is ever in memory.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from starlette.requests import ClientDisconnect

from omnify_files.blobs import CHUNK, Blobs, spans_of
from omnify_files.errors import ChecksumDiffers, FileTooLarge, UploadGone, WriterReplaced
from omnify_files.events import uploaded
from omnify_files.records import FileRecord, Part
from omnify_files.store import FileStore
from omnify_files.tus import Checksum
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach

STORED: Final = point("files.upload.stored")
COMMITTED: Final = point("files.upload.committed")
TIDIED: Final = point("files.upload.tidied")


class Writer:
    """Adds the body of one request to an upload that it has taken over (`file.attempt`)."""

    def __init__(self, store: FileStore, blobs: Blobs, file: FileRecord, checksum: Checksum | None) -> None:
        self._store = store
        self._blobs = blobs
        self._file = file
        self._attempt = file.attempt
        self._checksum = checksum
        self._hash: Any = checksum.hasher() if checksum else None
        self._uncounted: list[Part] = []
        self._broken = False

    async def write(self, body: AsyncIterator[bytes]) -> FileRecord:
        """Stores the body and gives the file as it is then; a body that breaks off counts as far as it came.

        Raises: FileTooLarge, ChecksumDiffers, WriterReplaced, UploadGone; SidecarUnavailable. After each of them the
        file's offset says what counts.
        """
        pieces = self._pieces(body)
        reading = asyncio.ensure_future(anext(pieces, None))
        try:
            while (piece := await reading) is not None:
                reading = asyncio.ensure_future(anext(pieces, None))
                await self._store_piece(piece)
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading
            await pieces.aclose()
        if self._checksum:
            await self._count_checked()
        return self._file

    async def _pieces(self, body: AsyncIterator[bytes]) -> Any:
        """The bytes from the start of the piece that the upload has got to, in pieces of the grid."""
        offset = self._file.offset
        buffer = bytearray(await self._blobs.get(self._file, self._file.parts[-1]) if offset % CHUNK else b"")
        held, left = len(buffer), self._file.length - offset
        try:
            async for data in body:
                left -= len(data)
                if left < 0:
                    raise FileTooLarge("more bytes than Upload-Length announced")
                if self._hash:
                    await asyncio.to_thread(self._hash.update, data)
                buffer += data
                while len(buffer) >= CHUNK:
                    yield bytes(buffer[:CHUNK])
                    del buffer[:CHUNK]
                    held = 0
        except ClientDisconnect:
            self._broken = True
        if len(buffer) > held and not (self._broken and self._checksum):
            yield bytes(buffer)

    async def _store_piece(self, piece: bytes) -> None:
        index = len(self._uncounted) + self._file.offset // CHUNK
        part = await self._blobs.put(self._file, f"u{self._attempt}", index, piece)
        reach(STORED)
        self._uncounted.append(part)
        if not self._checksum:
            await self._count()

    async def _count_checked(self) -> None:
        if self._broken:
            return
        if self._checksum and self._hash.digest() != self._checksum.digest:
            raise ChecksumDiffers("the bytes that came do not match Upload-Checksum; send them again")
        await self._count()

    async def _count(self) -> None:
        """Makes the stored pieces part of the file, in one write."""
        parts, self._uncounted = self._uncounted, []
        if not parts:
            return
        replaced = [old for old in self._file.parts if old.index == parts[0].index]

        def change(file: FileRecord, emit: Emit) -> FileRecord:
            self._check_ours(file)
            if file.parts and file.parts[-1] == parts[-1]:
                return file
            return _with_parts(file, parts, emit)

        self._file = (await self._store.files.update(*self._key, change=change)).value
        reach(COMMITTED)
        if replaced:
            await self._blobs.drop(self._file, spans_of(replaced))
            reach(TIDIED)

    def _check_ours(self, file: FileRecord) -> None:
        if file.state in ("cancelled", "deleted"):
            raise UploadGone("the upload was cancelled meanwhile")
        if file.attempt != self._attempt:
            raise WriterReplaced("another request has taken the upload over; ask for the offset and go on from there")

    @property
    def _key(self) -> tuple[str, str]:
        return self._file.organization_id, self._file.file_id


def _with_parts(file: FileRecord, parts: list[Part], emit: Emit) -> FileRecord:
    first = parts[0].index
    replaced = spans_of(old for old in file.parts if old.index >= first)
    kept = [old for old in file.parts if old.index < first] + parts
    offset = sum(part.size for part in kept)
    change: dict[str, object] = {"parts": kept, "offset": offset, "litter": [*file.litter, *replaced]}
    if offset == file.length:
        emit(uploaded(file))
        change |= {"state": "quarantined"}
    return file.model_copy(update=change)
