"""A strict receiver of OTLP over HTTP: takes protobuf only, keeps what came, refuses what does not parse."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS: dict[str, Any] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


class Receiver:
    """`url` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""

    def __init__(self) -> None:
        self.requests: dict[str, list[Any]] = {path: [] for path in KINDS}
        self.refused: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._answer(receiver.take(self.path, dict(self.headers.items()), self._body()))

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("content-length", 0)))

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """The status for one export."""
        named = {name.lower(): value for name, value in headers.items()}
        kind = KINDS.get(path)
        if kind is None or named.get("content-type") != "application/x-protobuf":
            self.refused.append(f"{path}: {named.get('content-type')}")
            return 400
        try:
            plain = gzip.decompress(body) if named.get("content-encoding") == "gzip" else body
            self.requests[path].append(kind.FromString(plain))
        except (DecodeError, OSError) as error:
            self.refused.append(f"{path}: {error}")
            return 400
        return 200

    @property
    def spans(self) -> list[tuple[dict[str, Any], Any]]:
        """Every span that came, with the attributes of its resource."""
        return [
            (attributes(group.resource.attributes), span)
            for request in self.requests["/v1/traces"]
            for group in request.resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> set[str]:
        """The names of the metrics that came."""
        return {
            metric.name
            for request in self.requests["/v1/metrics"]
            for group in request.resource_metrics
            for scope in group.scope_metrics
            for metric in scope.metrics
        }

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def attributes(pairs: Any) -> dict[str, Any]:
    """OTLP's key-value list as a mapping."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
