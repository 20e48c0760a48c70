"""A request's body on its way to the sidecar: short ones in one piece, others streamed with flow control."""

import asyncio

from starlette.types import Receive, Scope

from omnify_gateway.errors import BodyTooLarge, RequestTimeout
from omnify_gateway.headers import first
from omnify_gateway.wire import Connection

SHORT = 64 * 1024  # bytes; up to here a body is read first, so that a broken connection may be tried again


class ClientGone(Exception):
    """The caller closed the connection before it had sent its request whole."""


class RequestBody:
    """`short` holds a short body once read; `streamed` says that the body has to be passed on piece by piece.

    Raises BodyTooLarge as soon as it is known, from Content-Length before anything is read.
    """

    def __init__(self, scope: Scope, receive: Receive, *, limit: int, idle: float) -> None:
        self._receive = receive
        self._limit = limit
        self._idle = idle
        self.short = b""
        length = first(scope["headers"], b"content-length")
        self._chunked = first(scope["headers"], b"transfer-encoding") is not None
        self._length = 0 if self._chunked or not length else int(length)
        self._check(self._length)
        self.streamed = self._chunked or self._length > SHORT

    @property
    def framing(self) -> tuple[bytes, ...]:
        """The header line that tells the next hop where the body ends."""
        if self._chunked:
            return (b"transfer-encoding: chunked",)
        return (b"content-length: %d" % self._length,) if self._length else ()

    async def read_if_short(self) -> None:
        """Reads the body unless it is streamed. Raises RequestTimeout, ClientGone."""
        if not self._length or self.streamed:
            return
        pieces = []
        more = True
        while more:
            piece, more = await self._next()
            pieces.append(piece)
        self.short = b"".join(pieces)

    async def send_to(self, connection: Connection) -> None:
        """Streams the body; stops early when the answer has begun. Raises what `read_if_short` does."""
        passed = 0
        more = True
        while more and not connection.status and not connection.lost:
            piece, more = await self._next()
            passed += len(piece)
            self._check(passed)
            await connection.write(self._framed(piece, last=not more))
        connection.sending = more

    def _framed(self, piece: bytes, *, last: bool) -> bytes:
        if not self._chunked:
            return piece
        data = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        return data + b"0\r\n\r\n" if last else data

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise BodyTooLarge(f"The request body exceeds {self._limit} bytes.", limit=self._limit)

    async def _next(self) -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout(self._idle):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout("The request body stopped coming.") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message.get("body", b""), message.get("more_body", False)
