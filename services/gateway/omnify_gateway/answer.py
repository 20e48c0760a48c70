"""The answer to the caller: a service's, passed on, or a problem of the gateway's own."""

import asyncio
import json

import structlog
from starlette.types import Scope, Send

from omnify_gateway import headers as h
from omnify_gateway.errors import BadGateway, HeadersTooLarge, sidecar_problem
from omnify_gateway.wire import Connection, Header
from omnify_shared.context import RequestContext, enter, new_traceparent, valid_traceparent
from omnify_shared.ids import new_id
from omnify_shared.problems import Problem, problem_response

log = structlog.get_logger()
_REFUSAL_BYTES = 8192  # daprd's own errors are far shorter


class Answer:
    """Writes one answer; it carries the request id whatever happens, and the logs carry the same."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._method: str = scope["method"]
        self.status = 500
        self.route = "unmatched"
        headers = scope["headers"]
        given = h.first(headers, b"traceparent")
        traceparent = valid_traceparent(given.decode("latin-1") if given else None) or new_traceparent()
        request_id = h.usable_request_id(headers)
        self.request_id = request_id or new_id().encode()
        self.traceparent = traceparent.encode()
        enter(RequestContext(request_id=self.request_id.decode(), traceparent=traceparent))

    async def whole(self, connection: Connection, security: tuple[Header, ...]) -> None:
        """Passes on an answer that is all here, in one write."""
        body = await connection.chunk()
        await self._start(connection, security, length=b"%d" % len(body))
        await self._send({"type": "http.response.body", "body": body})

    async def streamed(self, connection: Connection, security: tuple[Header, ...], *, idle: float) -> None:
        """Passes an answer on as it comes. Raises BrokenOff, and TimeoutError after `idle` seconds of silence."""
        await self._start(connection, security, length=h.first(connection.headers, b"content-length"))
        while True:
            async with asyncio.timeout(idle):
                piece = await connection.chunk()
            if not piece:
                break
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def problem(self, problem: Problem, security: tuple[Header, ...]) -> None:
        """Answers with a problem; those that are not the caller's fault are logged."""
        if problem.status >= 500:
            log.warning("request failed", problem=problem.type, detail=problem.detail)
        self.status = problem.status
        response = problem_response(problem)
        headers = h.harden(list(response.raw_headers), security)
        headers.append((b"x-request-id", self.request_id))
        await self._send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": bytes(response.body)})

    async def _start(self, connection: Connection, security: tuple[Header, ...], *, length: bytes | None) -> None:
        self.status = connection.status
        headers = h.answered(connection.headers, security)
        headers.append((b"x-request-id", self.request_id))
        if self._method == "HEAD":
            length = h.first(connection.headers, b"content-length")
        if length is not None and connection.status not in (204, 304):
            headers.append((b"content-length", length))
        await self._send({"type": "http.response.start", "status": connection.status, "headers": headers})


async def sidecar_refusal(connection: Connection, app_id: str, *, plain: bool) -> Problem | None:
    """The problem to answer with when it was daprd, not the app, that refused; None for an app's own error.

    daprd's errors are `{"errorCode": "ERR_…"}`, or plain text below its API; our services answer problems only.
    `plain`: whether a plain-text error is taken for daprd's, which would be wrong for a foreign app.
    """
    if connection.status < 400:
        return None
    kind = h.first(connection.headers, b"content-type") or b""
    if plain and kind.startswith(b"text/plain"):
        return _below_the_api(connection.status)
    length = h.first(connection.headers, b"content-length")
    if not kind.startswith(b"application/json") or length is None or int(length) > _REFUSAL_BYTES:
        return None
    body = await connection.peek()
    if not body.startswith(b'{"errorCode":"ERR_'):
        return None
    message = str(json.loads(body).get("message", ""))
    log.warning("sidecar refused the call", app_id=app_id, reason=message[-300:])
    return sidecar_problem(message, app_id)


def _below_the_api(status: int) -> Problem:
    if status == 431:
        return HeadersTooLarge("The headers exceed what the platform carries.")
    log.error("sidecar refused the gateway itself", status=status)
    return BadGateway("The platform refused the gateway's own call.")
