"""Calls to peer services by app-id, through the sidecar (https://docs.dapr.io/reference/api/service_invocation_api/)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from opentelemetry.trace import SpanKind
from pydantic import JsonValue
from pydantic_core import from_json, to_json

from omnify_shared.access import Call, UndeclaredUse
from omnify_shared.context import current
from omnify_shared.dapr.errors import PeerTimeout, PeerUnavailable
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.tracing import Tracing, failed

TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """A peer's answer, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is none."""
        return from_json(self.body)


class Invoker:
    """Calls peers. The sidecar finds them, retries what `resiliency.yaml` allows, and encrypts where mTLS is on.

    Only declared calls are made, in every profile: one that the locked-down profile would refuse fails here first.
    """

    def __init__(self, sidecar: Sidecar, declared: Iterable[Call], tracing: Tracing) -> None:
        self._sidecar = sidecar
        self._declared = frozenset(declared)
        self._tracing = tracing

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pooled session, for callers that stream."""
        return self._sidecar.session

    @property
    def base_url(self) -> str:
        """Where the sidecar listens; a call's path is appended as it is."""
        return self._sidecar.base_url

    def headers(self, app_id: str, *, forward_auth: bool = False) -> dict[str, str]:
        """The headers of a call: the target, this app's token, the request's ids."""
        context = current()
        headers = {
            "dapr-app-id": app_id,
            "traceparent": context.traceparent,
            "x-request-id": context.request_id,
            **self._sidecar.token_header,
        }
        if forward_auth and context.authorization:
            headers["authorization"] = context.authorization
        return headers

    async def request(
        self,
        call: Call,
        values: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str | int | float] | None = None,
        json: JsonValue = None,
        headers: Mapping[str, str] | None = None,
        forward_auth: bool = False,
        timeout: float = TIMEOUT,  # noqa: ASYNC109 - given to the HTTP client
    ) -> Reply:
        """One call; any status is returned. `values` fill the path's parameters; `timeout` is in seconds.

        Raises: PeerUnavailable when the peer or a sidecar is down; PeerTimeout; UndeclaredUse, which is a defect.
        """
        url = self._url(call, values or {}, query)
        body = None if json is None else to_json(json)
        kind = {} if body is None else {"content-type": "application/json"}
        attributes = {"http.request.method": call.method, "server.address": call.app_id, "url.template": call.path}
        with self._tracing.span(f"{call.method} {call.path}", SpanKind.CLIENT, attributes) as span:
            sent = self.headers(call.app_id, forward_auth=forward_auth) | dict(headers or {}) | kind
            reply = await self._exchange(call, url, body, sent, timeout)
            span.set_attribute("http.response.status_code", reply.status)
            if reply.status >= 400:
                failed(span, str(reply.status))
        return reply

    async def _exchange(
        self,
        call: Call,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float,  # noqa: ASYNC109 - given to the HTTP client
    ) -> Reply:
        app_id = call.app_id
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self.session.request(
                call.method, url, data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as answer:
                reply = Reply(answer.status, await answer.read(), answer.headers)
        except TimeoutError as error:
            raise PeerTimeout(f"{app_id} did not answer within {timeout:g} s") from error
        except aiohttp.ClientError as error:
            raise PeerUnavailable(f"{app_id} can't be reached: no sidecar") from error
        if sidecar_failure(reply.status, reply.headers, reply.body):
            raise PeerUnavailable(f"{app_id} is not running or not ready")
        return reply

    def _url(self, call: Call, values: Mapping[str, str], query: Mapping[str, str | int | float] | None) -> str:
        if call not in self._declared:
            raise UndeclaredUse(f"{call.method} {call.path} of {call.app_id} is called and not declared: see access.py")
        return self.base_url + call.to(values) + (f"?{urlencode(query)}" if query else "")


def sidecar_failure(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer of 500 is the sidecar's own (the peer was not reached) and not the peer's."""
    return status >= 500 and b'"errorCode":"ERR_DIRECT_INVOKE"' in body[:512].replace(b" ", b"")
