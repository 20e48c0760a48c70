"""An app that is not there: it publishes keys as auth does, and listens to events as any consumer."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Peer:
    """Behind the sidecar of `port`: answers with `jwks`, and keeps the `events` of the topics it subscribes to."""

    def __init__(self, jwks: dict[str, Any], *topics: str) -> None:
        subscriptions = [{"pubsubname": "pubsub", "topic": topic, "route": "/events"} for topic in topics]
        answers = {"/.well-known/jwks.json": jwks, "/health/live": {}, "/dapr/subscribe": subscriptions}
        self.events: list[dict[str, Any]] = []
        events = self.events

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(answers.get(self.path))

            def do_POST(self) -> None:
                events.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.answer({"status": "SUCCESS"})

            def answer(self, content: object) -> None:
                body = b"" if content is None else json.dumps(content).encode()
                self.send_response(404 if content is None else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Closes the port."""
        self._server.shutdown()
        self._server.server_close()
