"""A stub of the old monolith, a foreign HTTP server: it has its own HTML and must never see the platform's tokens."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Monolith(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        leaked = [name for name in self.headers if name.lower() in {"dapr-api-token", "dapr-app-id"}]
        if leaked:
            return self._answer(400, "text/plain", f"leaked: {leaked}")
        if self.path == "/legacy/plain-error":
            return self._answer(403, "text/plain", "the monolith's own refusal")
        if self.path == "/legacy/cookie":
            return self._answer(200, "text/plain", self.headers.get("cookie", ""))
        if self.path.startswith(("/legacy/", "/v1.0/")):
            return self._answer(200, "text/html", f"<p>old {self.path}</p>")
        self._answer(404, "text/html", "<p>gone</p>")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._answer(200, "text/html", body.decode()[::-1])

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Monolith).serve_forever()
