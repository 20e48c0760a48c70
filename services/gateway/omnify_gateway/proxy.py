"""The hot path: one request in, one exchange with the sidecar, the answer out; plain ASGI, nothing buffered whole."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from opentelemetry.trace import SpanKind
from starlette.types import Receive, Scope, Send

from omnify_gateway import headers as h
from omnify_gateway.answer import Answer, sidecar_refusal
from omnify_gateway.api_keys import ApiKeys
from omnify_gateway.body import ClientGone, RequestBody
from omnify_gateway.errors import BadGateway, GatewayTimeout, MethodRefused, ServiceUnavailable, UnknownPath
from omnify_gateway.monolith import Monolith
from omnify_gateway.paths import check
from omnify_gateway.settings import GatewaySettings
from omnify_gateway.table import MONOLITH_LIMITS, Limits, Table
from omnify_gateway.wire import BrokenOff, Connection, Header, Pool, SidecarDown
from omnify_shared.edge import describe
from omnify_shared.logs import AccessLog
from omnify_shared.problems import Problem
from omnify_shared.telemetry import Telemetry
from omnify_shared.tracing import traceparent_of

log = structlog.get_logger()

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLIENT_GONE = 499  # as nginx counts it: nobody is there to be answered
WATCH_AFTER = 0.25  # seconds into a streamed answer
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})  # RFC 9110 §9.2.2


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `lead` stands before the path on the way to the sidecar, `extra` are header lines."""

    app_id: str
    route: str
    limits: Limits
    lead: bytes
    extra: tuple[bytes, ...]
    security: tuple[Header, ...]
    cookies: bool


class Proxy:
    """Forwards a request to the app-id that owns its path, by Dapr service invocation."""

    def __init__(
        self,
        settings: GatewaySettings,
        pool: Pool,
        monolith: Monolith,
        telemetry: Telemetry,
        table: Table,
        api_keys: ApiKeys,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._monolith = monolith
        self._telemetry = telemetry
        self._table = table
        self._api_keys = api_keys
        self._access = AccessLog(settings.app_id)
        token = settings.dapr_api_token
        self._token = (b"dapr-api-token: " + token.get_secret_value().encode(),) if token else ()
        strict = (h.STRICT_TRANSPORT,) if settings.public_url.startswith("https://") else ()
        self._api_security = h.API_SECURITY + strict
        self._site_security = h.SITE_SECURITY + strict

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        answer = Answer(scope, send)
        try:
            if self._telemetry.exporting:
                await self._traced(scope, receive, answer)
            else:
                await self._answer(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            self._telemetry.request(scope["method"], answer.route, answer.status, seconds)
            self._access.line(scope["method"], answer.route, answer.status, round(seconds * 1000, 2))

    async def _traced(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        method, parent = scope["method"], answer.traceparent.decode()
        with self._telemetry.tracing.span(method, SpanKind.SERVER, parent=parent) as span:
            answer.traceparent = traceparent_of(span).encode()
            try:
                await self._answer(scope, receive, answer)
            finally:
                describe(span, method, answer.route, answer.status)

    async def _answer(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        try:
            await self._serve(scope, receive, answer)
        except Problem as problem:
            await answer.problem(problem, self._api_security)
        except ClientGone:
            answer.status = CLIENT_GONE

    async def _serve(self, scope: Scope, receive: Receive, answer: Answer) -> None:
        target = await self._target(scope)
        answer.route = target.route
        body = RequestBody(scope, receive, limit=target.limits.body, idle=self._settings.idle_timeout)
        given = scope["headers"]
        headers = h.for_monolith(given) if target.lead else await self._api_keys.exchanged(given)
        head = self._head({**scope, "headers": headers}, target, body, answer)
        await body.read_if_short()
        try:
            async with asyncio.timeout(min(target.limits.seconds, self._settings.max_seconds)):
                connection = await self._exchange(scope["method"], head, body)
        except TimeoutError:
            raise GatewayTimeout(f"The service '{target.app_id}' did not answer in time.") from None
        except SidecarDown:
            raise ServiceUnavailable("The gateway's sidecar is not available; please try again.") from None
        except BrokenOff:
            raise BadGateway(f"The connection to the service '{target.app_id}' broke off.") from None
        if connection.status == 401 and not target.lead and headers is not given:
            self._api_keys.forget(given)
        try:
            await self._relay(connection, target, receive, answer)
        finally:
            self._pool.release(connection)

    async def _target(self, scope: Scope) -> Target:
        path: bytes = scope["raw_path"]
        check(path, scope["query_string"])
        if scope["method"] not in METHODS:
            raise MethodRefused(f"{scope['method']} is not served.", headers={"Allow": ", ".join(sorted(METHODS))})
        if route := self._table.find(path):
            extra = (b"dapr-app-id: " + route.app_id.encode(), *self._token)
            return Target(route.app_id, route.prefix, route.limits, b"", extra, self._api_security, route.cookies)
        if not await self._monolith.declared():
            raise UnknownPath("No service answers at this path.")
        name = self._settings.monolith_endpoint
        # By full path: with a header alone, daprd would take a path such as /v1.0/state/… for its own API.
        lead = f"/v1.0/invoke/{name}/method".encode()
        return Target(name, name, MONOLITH_LIMITS, lead, self._token, self._site_security, cookies=True)

    def _head(self, scope: Scope, target: Target, body: RequestBody, answer: Answer) -> bytes:
        hops = self._settings.trusted_hops
        query = scope["query_string"]
        url = target.lead + scope["raw_path"] + (b"?" + query if query else b"")
        lines = [
            scope["method"].encode() + b" " + url + b" HTTP/1.1",
            b"host: " + target.app_id.encode(),
            *target.extra,
            *h.forwarded(scope["headers"], self._settings.max_header_bytes, cookies=target.cookies),
            *body.framing,
            b"x-forwarded-for: " + h.client_address(scope, hops),
            b"x-forwarded-proto: " + h.scheme(scope, hops),
            b"x-forwarded-host: " + (h.first(scope["headers"], b"host") or b""),
            b"x-request-id: " + answer.request_id,
            b"traceparent: " + h.traced(answer.traceparent, query),
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    async def _exchange(self, method: str, head: bytes, body: RequestBody) -> Connection:
        """Sends the request and returns the connection once the answer has begun; the caller releases it."""
        while True:
            connection = await self._pool.acquire()
            stale = not connection.fresh
            try:
                connection.start(head + body.short, sending=body.streamed, bodiless=method == "HEAD")
                if body.streamed:
                    await body.send_to(connection)
                await connection.answered()
            except BrokenOff:
                self._pool.release(connection)
                # The sidecar may close an idle connection just as it is used again: safe to repeat what is idempotent.
                if not (stale and method in REPEATABLE and not body.streamed):
                    raise
            except BaseException:
                self._pool.release(connection)
                raise
            else:
                return connection

    async def _relay(self, connection: Connection, target: Target, receive: Receive, answer: Answer) -> None:
        refusal = await sidecar_refusal(connection, target.app_id, plain=not target.lead)
        if refusal is not None:
            raise refusal
        if connection.complete:
            await answer.whole(connection, target.security)
        else:
            await self._stream(connection, target, receive, answer)

    async def _stream(self, connection: Connection, target: Target, receive: Receive, answer: Answer) -> None:
        watcher = Watcher(receive, connection)
        try:
            await answer.streamed(connection, target.security, idle=self._settings.idle_timeout)
        except (BrokenOff, TimeoutError) as error:
            # The head is out: leaving the answer unfinished is the only way left to say that it is.
            log.warning("answer broke off", app_id=target.app_id, reason=type(error).__name__)
        finally:
            watcher.cancel()


class Watcher:
    """Ends an exchange whose caller has gone. Most answers are done before it is worth a task of its own."""

    def __init__(self, receive: Receive, connection: Connection) -> None:
        self._receive = receive
        self._connection = connection
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._start)

    def cancel(self) -> None:
        """Stops watching; from here on the connection belongs to somebody else."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._connection.abort()
