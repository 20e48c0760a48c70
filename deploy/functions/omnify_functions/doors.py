"""A public door to some operations of one service, as an ASGI app, where no gateway stands in front of it.

As the gateway does, it lets nothing pass that a service would believe because a sidecar or the gateway says it.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from omnify_functions.catalogue import Function
from omnify_functions.host import Host

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Header = tuple[bytes, bytes]
_BELIEVED = (b"dapr-", b"x-forwarded-", b"forwarded", b"x-real-ip", b"traceparent", b"x-request-id")
_PARAMETER = re.compile(r"\\\{[a-z_]+\\\}")


class Door:
    """`proxies`: how many servers of the cloud stand in front and each add to X-Forwarded-For; 0 where none does."""

    def __init__(self, host: Host, function: Function, *, proxies: int) -> None:
        self._host = host
        self._proxies = proxies
        self._open = [_pattern(operation) for operation in function.operations]

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from omnify_shared.problems import NotFound, Problem, problem_response

        try:
            if not self._takes(scope):
                raise NotFound("this function does not serve that")
            answer = _Held(send)
            async with self._host.call() as app:
                await self._pass_on(app, scope, receive, answer)
            await answer.release()
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)

    def _takes(self, scope: "Scope") -> bool:
        asked = f"{scope['method']} {scope['path']}"
        return any(pattern.fullmatch(asked) for pattern in self._open)

    async def _pass_on(self, app: Any, scope: "Scope", receive: "Receive", send: "Send") -> None:
        token = app.state.platform.settings.app_api_token
        headers = [(name, value) for name, value in scope["headers"] if not name.lower().startswith(_BELIEVED)]
        headers.append((b"x-forwarded-for", self._caller(scope)))
        if token:
            headers.append((b"dapr-api-token", token.get_secret_value().encode()))
        kept = ("type", "http_version", "method", "scheme", "path", "query_string", "client", "server", "asgi")
        own = {"root_path": "", "raw_path": quote(scope["path"]).encode(), "headers": headers}
        inner = {name: scope[name] for name in kept if name in scope} | own
        await app(inner, receive, send)

    def _caller(self, scope: "Scope") -> bytes:
        """The caller's address: the peer's, or the entry that the outermost server of the cloud wrote."""
        peer = (scope.get("client") or ("", 0))[0] or "unknown"
        if not self._proxies:
            return str(peer).encode()
        chain = _chain(scope["headers"])
        return chain[-min(self._proxies, len(chain))] if chain else str(peer).encode()


class _Held:
    """Keeps the answer until the call's work is durable: what was sent can't be taken back."""

    def __init__(self, send: "Send") -> None:
        self._send = send
        self._messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self._messages.append(message)

    async def release(self) -> None:
        for message in self._messages:
            await self._send(message)


def _chain(headers: Sequence[Header]) -> list[bytes]:
    return [part.strip() for name, value in headers if name == b"x-forwarded-for" for part in value.split(b",")]


def _pattern(operation: str) -> "re.Pattern[str]":
    return re.compile(_PARAMETER.sub("[^/]+", re.escape(operation)))
