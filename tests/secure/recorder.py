"""An app that only writes down what reaches it: `recorder.py PORT FILE [TOPIC…]`; it subscribes to the topics.

A line of the file is `{path, headers, event}`. It stands for a peer, a consumer, or a server outside the platform.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT, NOTES, TOPICS = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._body()
        if self.path == "/dapr/subscribe":
            return self._answer(
                [{"pubsubname": "pubsub", "topic": topic, "route": f"/got/{topic}"} for topic in TOPICS]
            )
        if not self.path.startswith(("/health", "/dapr/")):
            self._note(None)
        self._answer({"status": "healthy"})

    def do_POST(self) -> None:
        body = self._body()
        self._note(json.loads(body) if self.path.startswith("/got/") else None)
        self._answer({"status": "SUCCESS"})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _note(self, event: Any) -> None:
        with NOTES.open("a") as file:
            file.write(json.dumps({"path": self.path, "headers": self.headers.items(), "event": event}) + "\n")

    def _answer(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Recorder).serve_forever()
