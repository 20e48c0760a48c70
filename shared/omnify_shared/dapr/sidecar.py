"""The connection to this process's sidecar: made off the hot path, watched, never blocking the event loop."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
import structlog
from dapr.clients.exceptions import DaprGrpcError
from grpc import RpcError

from omnify_shared.dapr.client import SidecarClient
from omnify_shared.dapr.errors import SidecarError, SidecarUnavailable
from omnify_shared.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")

WATCH_INTERVAL = 1.0  # seconds while the sidecar is up
CONNECT_TIMEOUT = 2.0  # seconds
SEEK_INTERVAL = 0.1  # seconds while it is not


class Sidecar:
    """The sidecar's gRPC client (Dapr SDK) and the pooled HTTP session for service invocation.

    `watch` asks the sidecar's health and makes the client once that answered; until then every call raises
    `SidecarUnavailable` at once.
    """

    def __init__(self, settings: Settings, *, traced: bool = False) -> None:
        """`traced`: calls carry the trace of the request in hand, and the sidecar adds spans of its own."""
        self._settings = settings
        self._traced = traced
        self._client: SidecarClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self.base_url = settings.http_api.url
        self.ready = asyncio.Event()
        self.healthy = False

    @property
    def client(self) -> SidecarClient:
        """The SDK's client. Raises SidecarUnavailable before the first contact."""
        if self._client is None:
            raise SidecarUnavailable("the sidecar is not up yet")
        return self._client

    @property
    def session(self) -> aiohttp.ClientSession:
        """One pooled HTTP session to the sidecar; cookies are never kept, bodies are passed on as they come."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=512, keepalive_timeout=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=2),
                skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
                read_bufsize=256 * 1024,
            )
        return self._session

    @property
    def token_header(self) -> dict[str, str]:
        """The header that authenticates this app to its sidecar."""
        token = self._settings.dapr_api_token
        return {"dapr-api-token": token.get_secret_value()} if token else {}

    async def watch(self) -> None:
        """Runs for the life of the process: connects when the sidecar appears, and keeps `healthy` true to fact."""
        while True:
            healthy = await self._is_usable()
            if healthy != self.healthy:
                log.info("sidecar is up" if healthy else "sidecar is down")
            self.healthy = healthy
            if healthy:
                self.ready.set()
            await asyncio.sleep(WATCH_INTERVAL if healthy else SEEK_INTERVAL)

    async def wait_ready(self, seconds: float) -> None:
        """Waits for the first contact. Raises SidecarUnavailable when there is none within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self.ready.wait()
        except TimeoutError as error:
            raise SidecarUnavailable("the sidecar is not up yet") from error

    @property
    def in_contact(self) -> bool:
        """Whether the sidecar was fine when last asked, and the connection to it has not been lost since."""
        return self.healthy and self._client is not None and self._client.is_connected

    async def contact(self, seconds: float) -> None:
        """Without `watch`, in a process that is frozen between calls: connects anew, as what froze may be dead.

        Raises SidecarUnavailable when the sidecar does not answer, or refuses our token, within `seconds`.
        """
        await self.close()
        self._client = self._session = None
        try:
            async with asyncio.timeout(seconds):
                while not await self._is_usable():  # noqa: ASYNC110 - nobody else would tell
                    await asyncio.sleep(SEEK_INTERVAL)
        except TimeoutError as error:
            self.healthy = False
            raise SidecarUnavailable(f"no sidecar that takes this app at {self.base_url}") from error
        self.healthy = True
        self.ready.set()

    async def _is_usable(self) -> bool:
        return await self._is_up() and await self._is_connected() and await self._is_admitted()

    async def _is_connected(self) -> bool:
        if self._client is None:
            self._client = SidecarClient(self._settings.grpc_api, self.token_header, traced=self._traced)
        return await self._client.connected(CONNECT_TIMEOUT)

    async def _is_up(self) -> bool:
        try:
            url = f"{self.base_url}/v1.0/healthz/outbound"
            async with self.session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _is_admitted(self) -> bool:
        """Whether the sidecar takes our token: its health answers anybody, and would call a refused app ready."""
        try:
            url, limit = f"{self.base_url}/v1.0/metadata", aiohttp.ClientTimeout(total=2)
            async with self.session.get(url, headers=self.token_header, timeout=limit) as answer:
                admitted = answer.status != HTTPStatus.UNAUTHORIZED
                if self.healthy and not admitted:
                    log.error("the sidecar refuses this app's API token")
                return admitted
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def call(self, work: Awaitable[T]) -> T:
        """Awaits an SDK call and turns its errors into ours.

        Raises: SidecarUnavailable (may be tried again), SidecarError; ABORTED is left to the caller, as what it
        means depends on the call.
        """
        try:
            return await work
        except (DaprGrpcError, RpcError) as error:
            raise translate(error) from error

    async def close(self) -> None:
        """Closes both clients."""
        if self._client is not None:
            await self._client.close()
        if self._session is not None:
            await self._session.close()


def translate(error: Any) -> SidecarError:
    """The error of an SDK call as one of ours; its text stays in the log, not in the answer."""
    code, details = error.code(), error.details()
    log.warning("sidecar call failed", code=code.name, details=details)
    passing = code.name in {"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "ABORTED", "CANCELLED", "UNKNOWN"}
    if passing:
        made: SidecarError = SidecarUnavailable("a platform service did not answer; please try again")
    else:
        made = SidecarError(f"a platform service refused the call ({code.name})")
    made.code = code.name
    return made
