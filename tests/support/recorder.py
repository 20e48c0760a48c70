"""An app that keeps the events it receives."""

import json
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from omnify_shared.events.delivery import RAW, event_in
from omnify_shared.testing import Home, Sidecar

JSON = dict[str, Any]
TOPICS = (
    "auth-events",
    "auth-activity",
    "analytics-events",
    "email-events",
    "files-events",
    "webhooks-events",
    "webhooks-activity",
)


class Recorder:
    """Subscribes to every topic, or to `topics`, through a sidecar of its own while it is entered.

    `raw`: events are kept as they lie on the topic.
    """

    def __init__(self, home: Home, app_id: str, topics: Sequence[str] = TOPICS, *, raw: bool = False) -> None:
        self.events: list[JSON] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.events, topics, raw))
        self._sidecar = Sidecar(home, app_id, app_port=self._server.server_port)

    def __enter__(self) -> "Recorder":
        Thread(target=self._server.serve_forever, daemon=True).start()
        self._sidecar.start()
        self._sidecar.wait_for_app()
        return self

    def __exit__(self, *_: object) -> None:
        self._sidecar.terminate()
        self._server.shutdown()
        self._server.server_close()

    def first(self, event_type: str, seconds: float = 20) -> JSON:
        """The first event of a type; waits for it. Raises LookupError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.events:
                if event["type"] == event_type:
                    return event
            time.sleep(0.05)
        raise LookupError(f"no {event_type} arrived")


def _handler(events: list[JSON], topics: Sequence[str], raw: bool) -> type[BaseHTTPRequestHandler]:
    options = {"metadata": dict(RAW)} if raw else {}
    subscriptions = [{"pubsubname": "pubsub", "topic": topic, "route": "/events", **options} for topic in topics]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(subscriptions if self.path == "/dapr/subscribe" else {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            events.append(event_in(body) if raw else json.loads(body))
            self._answer({"status": "SUCCESS"})

        def _answer(self, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Handler
