"""Receivers of every kind, as one strict server: `python zoo.py <port> <file>`.

The path says how an animal answers; every request is a line of JSON in the file. `…/fail-3` answers 500 to the first
three tries of each message, `…/down-3` to its first three requests. A request that is no well-formed Standard Webhooks
message is answered 400 by all of them.
"""

import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT, FILE = int(sys.argv[1]), Path(sys.argv[2])
LARGEST = 256 * 1024
_lock = threading.Lock()
_tries: Counter[tuple[str, str]] = Counter()
_visits: Counter[str] = Counter()


class Animal(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "-1"))
        body = self.rfile.read(max(0, min(length, LARGEST + 1)))
        problem = _problem(self, length, body)
        with _lock:
            _tries[self.path, self.headers.get("webhook-id", "")] += 1
            number = _tries[self.path, self.headers.get("webhook-id", "")]
            _visits[self.path] += 1
            self.visit = _visits[self.path]
            line = {
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body.decode(errors="replace"),
                "at": time.time(),
                "problem": problem,
            }
            with FILE.open("a") as file:
                file.write(json.dumps(line) + "\n")
        if problem:
            return self._answer(400, problem.encode())
        kind, _, rest = self.path.rpartition("/")[2].partition("-")
        getattr(self, f"_{kind}")(rest, number)

    def _ok(self, rest: str, number: int) -> None:
        self._answer(200, b"thanks", **{"x-internal": "not to be kept", "content-type": "text/plain"})

    def _slow(self, rest: str, number: int) -> None:
        time.sleep(float(rest))
        self._answer(204)

    def _fail(self, rest: str, number: int) -> None:
        self._answer(500 if number <= int(rest) else 200, b"try %d" % number)

    def _down(self, rest: str, number: int) -> None:
        self._answer(500 if self.visit <= int(rest) else 200)

    def _gone(self, rest: str, number: int) -> None:
        self._answer(410, b"no more")

    def _busy(self, rest: str, number: int) -> None:
        if number > 1:
            return self._answer(200)
        return self._answer(429, b"later", **{"retry-after": rest})

    def _hang(self, rest: str, number: int) -> None:
        time.sleep(30)

    def _redirect(self, rest: str, number: int) -> None:
        self._answer(302, location=f"http://127.0.0.1:{PORT}/trap/ok")

    def _drip(self, rest: str, number: int) -> None:
        """A head that never comes to its end."""
        for _ in range(300):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" if _ == 0 else b"x-drip: 1\r\n")
            self.wfile.flush()
            time.sleep(0.2)

    def _huge(self, rest: str, number: int) -> None:
        self.send_response(200)
        self.send_header("content-length", str(64 * 1024 * 1024))
        self.end_headers()
        try:
            for _ in range(1024):
                self.wfile.write(b"z" * 65536)
        except OSError:
            self.close_connection = True

    def _reset(self, rest: str, number: int) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


def _problem(request: Animal, length: int, body: bytes) -> str | None:
    """What is wrong with a message; None when nothing is."""
    headers = request.headers
    if not 0 < length <= LARGEST or len(body) != length:
        return "no body, or too much of one"
    if headers.get("content-type") != "application/json" or not headers.get("user-agent", "").startswith("Omnify"):
        return "not what Omnify sends"
    if "authorization" in headers or "dapr-api-token" in headers or "cookie" in headers or "traceparent" in headers:
        return "a header that must stay inside"
    if headers.get("host") != f"127.0.0.1:{PORT}":
        return "the wrong host"
    content = json.loads(body)
    if sorted(content) != ["data", "timestamp", "type"]:
        return "not a message"
    return None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        return


if __name__ == "__main__":
    Server(("127.0.0.1", PORT), Animal).serve_forever()
