"""The outermost layer of every app, as pure ASGI: ids, app token, body limit, access log, metrics.

One class and not four: it is on the path of every request.
"""

import hmac
import time
from collections.abc import Mapping

from opentelemetry.trace import Span, SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omnify_shared.context import RequestContext, enter, new_traceparent, usable_request_id, valid_traceparent
from omnify_shared.ids import new_id
from omnify_shared.logs import AccessLog
from omnify_shared.problems import BodyTooLong, PayloadTooLarge, Problem, Unauthorized, crash_response, problem_response
from omnify_shared.settings import Settings
from omnify_shared.telemetry import Telemetry
from omnify_shared.tracing import failed

OPEN_PATHS = ("/health", "/health/live", "/health/ready")
GUARDED_WHEN_PUBLIC = ("/metrics", "/dapr/", "/events/", "/dead-letters", "/internal/")
QUIET = (*OPEN_PATHS, "/metrics")


class NotFromSidecar(Unauthorized):
    type, title = "not-from-sidecar", "Only the app's own sidecar may call this"


class Edge:
    """Wraps an app. Every call to a service comes through its sidecar, which proves itself with the app token."""

    def __init__(self, app: ASGIApp, settings: Settings, telemetry: Telemetry, limits: Mapping[str, int]) -> None:
        self._app = app
        self._public = settings.public
        token = settings.app_api_token
        self._token = token.get_secret_value().encode() if token else None
        scraper = settings.metrics_token
        self._scraper = b"Bearer " + scraper.get_secret_value().encode() if scraper else None
        self._limit = settings.max_body_bytes
        self._limits = sorted(limits.items(), key=lambda item: -len(item[0]))
        self._telemetry = telemetry
        self._access = AccessLog(settings.app_id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        context = self._context(headers)
        enter(context)
        started, answer = time.perf_counter(), _Answer(send, context.request_id)
        try:
            refusal = self._refusal(scope["path"], headers)
            if refusal is not None:
                return await problem_response(refusal)(scope, receive, answer)
            limited = _Limited(receive, self._limit_of(scope["path"]))
            if self._telemetry.exporting and scope["path"] not in QUIET:
                return await self._traced(scope, limited, answer, context)
            return await self._app(scope, limited, answer)
        except Exception as error:
            if answer.started:
                raise
            await crash_response(error)(scope, receive, answer)
        finally:
            self._account(scope, answer.status, time.perf_counter() - started)

    def _context(self, headers: Headers) -> RequestContext:
        return RequestContext(
            request_id=usable_request_id(headers.get("x-request-id")) or new_id(),
            traceparent=valid_traceparent(headers.get("traceparent")) or new_traceparent(),
            authorization=headers.get("authorization"),
            forwarded_for=headers.get("x-forwarded-for"),
        )

    def _refusal(self, path: str, headers: Headers) -> Problem | None:
        if self._token is not None and self._guarded(path):
            given = headers.get("dapr-api-token", "").encode()
            if not (hmac.compare_digest(given, self._token) or self._scrapes(path, headers)):
                return NotFromSidecar("call this service through its sidecar, or the gateway")
        length = headers.get("content-length", "0")
        limit = self._limit_of(path)
        if not length.isdecimal() or int(length) > limit:
            return PayloadTooLarge(f"the body may have at most {limit} bytes", limit_bytes=limit)
        return None

    def _scrapes(self, path: str, headers: Headers) -> bool:
        """Whether Prometheus asks for the metrics: its token opens nothing else."""
        if self._scraper is None or path != "/metrics":
            return False
        return hmac.compare_digest(headers.get("authorization", "").encode(), self._scraper)

    def _guarded(self, path: str) -> bool:
        if self._public:
            return path.startswith(GUARDED_WHEN_PUBLIC)
        return path not in OPEN_PATHS

    def _limit_of(self, path: str) -> int:
        return next((limit for prefix, limit in self._limits if path.startswith(prefix)), self._limit)

    async def _traced(self, scope: Scope, receive: Receive, answer: "_Answer", context: RequestContext) -> None:
        with self._telemetry.tracing.span(scope["method"], SpanKind.SERVER, parent=context.traceparent) as span:
            try:
                await self._app(scope, receive, answer)
            finally:
                describe(span, scope["method"], _route(scope), answer.status)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        self._telemetry.request(scope["method"], route, status, seconds)
        if scope["path"] not in QUIET:
            self._access.line(scope["method"], route, status, round(seconds * 1000, 2))


class _Answer:
    """Notes the status and adds the request id to an answer."""

    __slots__ = ("_request_id", "_send", "started", "status")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 500
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            MutableHeaders(scope=message)["x-request-id"] = self._request_id
        await self._send(message)


class _Limited:
    """Counts a body that comes in chunks, which has no length to check beforehand."""

    __slots__ = ("_left", "_limit", "_receive")

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise BodyTooLong(self._limit)
        return message


def _route(scope: Scope) -> str:
    route = scope.get("route")
    found = getattr(route, "path_format", None) or getattr(route, "path", None)
    return str(found or scope.get("omnify.route", "unmatched"))


def describe(span: Span, method: str, route: str, status: int) -> None:
    """Names and attributes of a server span as the semantic conventions for HTTP have them."""
    span.update_name(f"{method} {route}")
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        failed(span, str(status))
