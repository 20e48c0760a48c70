"""An online shop as a customer has it: orders to import, and a server that webhooks come to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMPLETED = "omnify.analytics.import.completed.v1"
ORDER_OPTIONS = {
    "date_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "amount"},
}
ORDERS = b"customer,day,amount\n1,2020-01-01,7\n"
GONE = "/gone"
Arrived = list[tuple[dict[str, str], bytes]]


@contextmanager
def shop_at(port: int) -> Iterator[Arrived]:
    """A server on loopback; what came to it, headers and bodies, but for `GONE`, which it answers with 410."""
    came: Arrived = []

    class Shop(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path != GONE:
                came.append((dict(self.headers), body))
            self.send_response(410 if self.path == GONE else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", port), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield came
    finally:
        server.shutdown()
        server.server_close()
