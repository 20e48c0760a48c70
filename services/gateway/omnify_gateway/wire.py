"""A lean HTTP/1.1 client for the one peer of the hot path, the sidecar on loopback.

It speaks through httptools, the parser that uvicorn uses for the other side, and does only what the proxy needs: one
exchange at a time per kept-alive connection, bodies streamed both ways with flow control. A general client costs
twice the CPU time per request here (figures in the README), and the proxy pays it on every call.
"""

import asyncio
from collections import deque
from typing import cast

import httptools

Header = tuple[bytes, bytes]
HIGH_WATER = 256 * 1024  # bytes held back before reading from the sidecar pauses


class SidecarDown(OSError):
    """No connection to the sidecar could be made."""


class BrokenOff(OSError):
    """The sidecar closed the connection, or spoke nonsense, before the answer was complete."""


class Connection(asyncio.Protocol):
    """A kept-alive connection; `start` begins an exchange, `complete` says that its answer is all here."""

    def __init__(self) -> None:
        self.lost = False
        self.fresh = True
        self._waiter: asyncio.Future[None] | None = None
        self._writable = True
        self._paused = False
        self._transport: asyncio.Transport
        self._idle()

    def _idle(self) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self.complete = False
        self.framed = False
        self.sending = False
        self._bodiless = False
        self._reusable = False
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._parser: httptools.HttpResponseParser | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self.status and not self.framed and error is None:
            self.complete = True
        self._wake()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake()

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self.complete:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()
        if self._buffered > HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status:
            name = name.lower()
            self.framed = self.framed or name in (b"content-length", b"transfer-encoding")
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = cast(httptools.HttpResponseParser, self._parser)
        status = parser.get_status_code()
        if status < 200:
            self.headers.clear()
            return
        self.status = status
        self._reusable = parser.should_keep_alive()
        self.complete = self._bodiless

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        self.complete = self.status > 0

    # The exchange

    def start(self, head: bytes, *, sending: bool = False, bodiless: bool = False) -> None:
        """Sends a request head, with its body when that is short.

        `sending`: pieces of the body follow through `write`, the caller clears the attribute after the last one.
        `bodiless`: the answer has no body whatever its headers say (HEAD).
        """
        self._idle()
        self.sending = sending
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(head)

    async def write(self, data: bytes) -> None:
        """Sends a piece of the body; returns when there is room for more, or when the answer has already begun."""
        self._transport.write(data)
        while not (self._writable or self.status or self.lost):
            await self._progress()

    async def answered(self) -> None:
        """Waits for the answer's status and headers. Raises BrokenOff."""
        while not self.status:
            if self.lost:
                raise BrokenOff("the sidecar closed the connection")
            await self._progress()

    async def chunk(self) -> bytes:
        """The next piece of the answer's body, empty at its end. Raises BrokenOff."""
        while not self._chunks:
            if self.complete:
                return b""
            if self.lost:
                raise BrokenOff("the answer broke off")
            await self._progress()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def peek(self) -> bytes:
        """The whole of a short body, which stays there for `chunk`. Raises BrokenOff."""
        while not self.complete:
            if self.lost:
                raise BrokenOff("the answer broke off")
            await self._progress()
        self._chunks = [b"".join(self._chunks)] if self._chunks else []
        return self._chunks[0] if self._chunks else b""

    @property
    def reusable(self) -> bool:
        """Whether the next exchange may use this connection."""
        spoiled = self.lost or self.sending or self._paused or not self._writable
        return self.complete and self._reusable and not spoiled

    def abort(self) -> None:
        """Closes at once; whoever waits gets BrokenOff."""
        self._transport.abort()

    async def _progress(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pool:
    """Connections to the sidecar, newest first; never more than `limit` at once, further callers wait."""

    def __init__(self, host: str, port: int, *, limit: int) -> None:
        self._address = host, port
        self._idle: deque[Connection] = deque()
        self._free = asyncio.Semaphore(limit)

    async def acquire(self) -> Connection:
        """A connection for one exchange; give it back with `release`. Raises SidecarDown."""
        await self._free.acquire()
        try:
            return self._reused() or await self._opened()
        except BaseException:
            self._free.release()
            raise

    def release(self, connection: Connection) -> None:
        """Takes a connection back; one whose exchange did not end cleanly is closed."""
        self._free.release()
        if connection.reusable:
            connection.fresh = False
            self._idle.append(connection)
        else:
            connection.abort()

    def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            self._idle.pop().abort()

    def _reused(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                return connection
        return None

    async def _opened(self) -> Connection:
        try:
            async with asyncio.timeout(2):
                _, connection = await asyncio.get_running_loop().create_connection(Connection, *self._address)
        except (OSError, TimeoutError) as error:
            raise SidecarDown(f"no sidecar at {self._address[0]}:{self._address[1]}") from error
        return connection
