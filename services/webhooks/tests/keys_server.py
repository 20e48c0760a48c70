"""Auth's side of access tokens, as a process of its own: `python keys_server.py <port> <jwks file>`."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

JWKS = Path(sys.argv[2]).read_bytes()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = {"/.well-known/jwks.json": JWKS, "/health/live": b"{}", "/dapr/subscribe": b"[]"}
        body = known.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        return


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
