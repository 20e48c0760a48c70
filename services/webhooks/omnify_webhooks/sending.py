"""One request to an endpoint, behind the guard: to a checked address and no other, without redirects, within limits."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from omnify_shared import clock
from omnify_webhooks.addresses import Guard
from omnify_webhooks.errors import UnsafeTarget

KEPT_BODY = 16 * 1024  # bytes of an answer
KEPT_HEADERS = frozenset({"content-type", "content-length", "date", "location", "retry-after", "server"})
LONGEST_HEADER = 256  # characters kept of one
BODY_PATIENCE = 1.0  # seconds for the body once the status is known
LONGEST_WAIT = 24 * 3600.0  # seconds that a `Retry-After` may ask for
USER_AGENT = "Omnify-Webhooks/1"
Lookup = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. Without a `status` there was no answer, and `error` says why."""

    seconds: float
    status: int | None = None
    error: str | None = None
    response: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Only 2xx counts; a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """The receiver asks for an end of it."""
        return self.status == 410


async def system_lookup(host: str, port: int) -> list[str]:
    """All addresses of a host, as the system's resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedResolver(AbstractResolver):
    """Resolves to addresses that the guard allows: what is checked here is what is connected to. One forbidden address
    among several refuses all, as a name that points both ways means no good."""

    def __init__(self, guard: Guard, lookup: Lookup = system_lookup) -> None:
        self._guard = guard
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See AbstractResolver. Raises UnsafeTarget, OSError."""
        addresses = await self._lookup(host, port)
        for address in addresses:
            self._guard.check_address(host, port, address)
        if not addresses:
            raise OSError(f"{host} has no address")
        return [_resolved(host, port, address) for address in addresses]

    async def close(self) -> None:
        """See AbstractResolver."""


def _resolved(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


class Sender:
    """Posts messages. One pooled session per process, of `most` connections; `lookup` is the resolver."""

    def __init__(
        self, guard: Guard, *, connect_timeout: float, timeout: float, most: int, lookup: Lookup = system_lookup
    ) -> None:
        self._guard = guard
        self._limits = aiohttp.ClientTimeout(total=timeout, sock_connect=connect_timeout)
        self._timeout = timeout
        self._most = most
        self._resolver = CheckedResolver(guard, lookup)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One attempt; never raises for what a receiver does."""
        started = time.perf_counter()

        def took() -> float:
            return round(time.perf_counter() - started, 3)

        try:
            self._guard.check_url(url)
            async with self._open().post(
                url, data=body, headers=headers, timeout=self._limits, allow_redirects=False
            ) as answer:
                text = await self._body(answer)
                return Outcome(took(), answer.status, None, text, _kept(answer.headers), _retry_after(answer.headers))
        except UnsafeTarget as refused:
            return Outcome(took(), error=f"not sent: {refused.detail}")
        except TimeoutError:
            return Outcome(took(), error=f"no answer within {self._timeout:g} s")
        except aiohttp.ClientConnectorDNSError as error:
            return Outcome(took(), error=_dns_error(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Outcome(took(), error=f"no answer: {type(error).__name__}")

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver, limit=self._most, ttl_dns_cache=10, enable_cleanup_closed=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"user-agent": USER_AGENT},
            )
        return self._session

    @staticmethod
    async def _body(answer: aiohttp.ClientResponse) -> str:
        """The first 16 KiB of the body. The status has decided already, so nobody waits long for it."""
        kept = bytearray()
        try:
            async with asyncio.timeout(BODY_PATIENCE):
                while len(kept) < KEPT_BODY and (piece := await answer.content.read(KEPT_BODY - len(kept))):
                    kept += piece
        except (TimeoutError, aiohttp.ClientError):
            pass
        if not answer.content.at_eof():
            answer.close()
        return kept.decode(errors="replace").replace("\x00", "\ufffd")


def _dns_error(error: aiohttp.ClientConnectorDNSError) -> str:
    cause: Any = error.__cause__ or error.os_error
    return f"not sent: {cause.detail}" if isinstance(cause, UnsafeTarget) else "no answer: the host's name is unknown"


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value[:LONGEST_HEADER] for name, value in headers.items() if name.lower() in KEPT_HEADERS}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for (RFC 9110 §10.2.3); None for what can't be read."""
    said = headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return min(float(said), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, min((at - clock.now()).total_seconds(), LONGEST_WAIT)) if isinstance(at, datetime) else None
