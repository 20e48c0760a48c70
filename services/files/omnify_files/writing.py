"""One request's bytes on their way into a file: cut into pieces, stored, and each counted once it is there.

The pieces of an upload lie on a grid of CHUNK bytes. A request that begins inside a piece writes that piece anew, under
a name of its own, so what is there already is never touched. While some pieces are stored the next is read, and those
that are stored when the document is free count in one write. Of one request AT_ONCE pieces, and the one that is read,
are in memory or uncounted at most.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any, Final

from starlette.requests import ClientDisconnect

from omnify_files.blobs import CHUNK, Blobs, spans_of
from omnify_files.errors import ChecksumDiffers, FileTooLarge, UploadGone, WriterReplaced
from omnify_files.events import uploaded
from omnify_files.records import FileRecord, Part, Span
from omnify_files.store import FileStore
from omnify_files.tus import Checksum
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach

STORED: Final = point("files.upload.stored")
COMMITTED: Final = point("files.upload.committed")
TIDIED: Final = point("files.upload.tidied")

AT_ONCE: Final = 4  # pieces between the body and the document


class Writer:
    """Adds the body of one request to an upload that it has taken over (`file.attempt`)."""

    def __init__(self, store: FileStore, blobs: Blobs, file: FileRecord, checksum: Checksum | None) -> None:
        self._store = store
        self._blobs = blobs
        self._file = file
        self._attempt = file.attempt
        self._tag = f"u{file.attempt}"
        self._checksum = checksum
        self._hash: Any = checksum.hasher() if checksum else None
        self._broken = False
        self._next = file.offset // CHUNK  # the place of the next piece
        self._room = asyncio.Semaphore(AT_ONCE)
        self._storing = deque[asyncio.Task[Part]]()
        self._news = asyncio.Event()
        self._uncounted: list[Part] = []
        self._foreign: FileRecord | None = None

    async def write(self, body: AsyncIterator[bytes]) -> FileRecord:
        """Stores the body and gives the file as it is then; a body that breaks off counts as far as it came.

        Raises: FileTooLarge, ChecksumDiffers, WriterReplaced, UploadGone; SidecarUnavailable. After each of them the
        file's offset says what counts.
        """
        reading = asyncio.create_task(self._read(body))
        reading.add_done_callback(lambda _: self._news.set())
        try:
            while await self._stored(reading):
                if not self._checksum:
                    await self._count()
            await reading
            if self._checksum:
                await self._count_checked()
        finally:
            reading.cancel()
            await asyncio.gather(reading, *self._storing, return_exceptions=True)
            await self._drop_what_came_too_late()
        return self._file

    async def _read(self, body: AsyncIterator[bytes]) -> None:
        """Begins to store each piece as soon as there is room."""
        async with aclosing(self._pieces(body)) as pieces:
            async for piece in pieces:
                await self._room.acquire()
                self._storing.append(asyncio.create_task(self._store_piece(self._next, piece)))
                self._next += 1
                self._news.set()

    async def _pieces(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The bytes from the start of the piece that the upload has got to, in pieces of the grid."""
        held, left = self._file.offset % CHUNK, self._file.length - self._file.offset
        buffer = [await self._blobs.get(self._file, self._file.parts[-1])] if held else []
        size = held
        try:
            async for data in body:
                left -= len(data)
                if left < 0:
                    raise FileTooLarge("more bytes than Upload-Length announced")
                while size + len(data) >= CHUNK:
                    cut = CHUNK - size
                    yield await self._hashed(b"".join((*buffer, data[:cut])), held)
                    buffer, size, held, data = [], 0, 0, data[cut:]
                buffer.append(data)
                size += len(data)
        except ClientDisconnect:
            self._broken = True
        if size > held and not (self._broken and self._checksum):
            yield await self._hashed(b"".join(buffer), held)

    async def _hashed(self, piece: bytes, held: int) -> bytes:
        if self._checksum:
            await asyncio.to_thread(self._hash.update, memoryview(piece)[held:])
        return piece

    async def _store_piece(self, index: int, piece: bytes) -> Part:
        part = await self._blobs.put(self._file, self._tag, index, piece)
        reach(STORED)
        return part

    async def _stored(self, reading: asyncio.Task[None]) -> bool:
        """Waits for the next piece, and takes it and those after it that are stored by then; False at the end."""
        while not self._storing and not reading.done():
            await self._news.wait()
            self._news.clear()
        if not self._storing:
            return False
        await self._storing[0]
        while self._storing and self._storing[0].done() and not self._storing[0].exception():
            self._uncounted.append(self._storing.popleft().result())
            if self._checksum:
                self._room.release()
        return True

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
        for _ in parts:
            self._room.release()
        reach(COMMITTED)
        if replaced:
            await self._blobs.drop(self._file, spans_of(replaced))
            reach(TIDIED)

    def _check_ours(self, file: FileRecord) -> None:
        if file.state in ("cancelled", "deleted"):
            self._foreign = file
            raise UploadGone("the upload was cancelled meanwhile")
        if file.attempt != self._attempt:
            self._foreign = file
            raise WriterReplaced("another request has taken the upload over; ask for the offset and go on from there")

    async def _drop_what_came_too_late(self) -> None:
        """Of an upload that is somebody else's by now: whoever drops what lies there may have been here already."""
        if self._foreign is None:
            return
        span = Span(tag=self._tag, first=self._file.offset // CHUNK, last=self._next - 1)
        with suppress(SidecarError):
            await self._blobs.drop(self._file, [span], keep=self._foreign.parts)

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
