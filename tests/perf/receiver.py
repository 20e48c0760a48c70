"""A receiver of webhooks that costs next to nothing: `python receiver.py <port> <file>`.

Each message's arrival is a line in the file: the time and its path. `/hanging…` never answers, `/refusing…`
always with 503.
"""

import asyncio
import sys
import time
from pathlib import Path

FILE = Path(sys.argv[2])
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


class Receiver(asyncio.Protocol):
    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        if not found or len(body) < int(fields.get(b"content-length", 0)):
            return
        self._data = b""
        path = head.split(b" ", 2)[1].decode()
        print(time.time(), path, fields[b"webhook-id"].decode(), body.decode(), sep="\t", file=LINES, flush=True)
        if not path.startswith("/hanging") and isinstance(self._transport, asyncio.Transport):
            self._transport.write(REFUSAL if path.startswith("/refusing") else ANSWER)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", int(sys.argv[1]), backlog=512)
    await server.serve_forever()


with FILE.open("a") as LINES:
    asyncio.run(main())
