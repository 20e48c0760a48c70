"""Whether the rest of the old monolith still answers: it does when an HTTPEndpoint of its name is declared."""

import asyncio
import time

import aiohttp
import structlog

from omnify_gateway.settings import GatewaySettings
from omnify_shared.dapr.sidecar import Sidecar

log = structlog.get_logger()
RECHECK = 30.0  # seconds; a changed HTTPEndpoint restarts the sidecar's runtime, so this is soon enough


class Monolith:
    """Asks the sidecar's metadata, at most every `RECHECK` seconds; a sidecar that does not answer says no."""

    def __init__(self, settings: GatewaySettings, sidecar: Sidecar) -> None:
        self._mode = settings.monolith
        self._name = settings.monolith_endpoint
        self._sidecar = sidecar
        self._known = False
        self._checked = float("-inf")
        self._lock = asyncio.Lock()

    async def declared(self) -> bool:
        """True when unknown paths have somewhere to go."""
        if self._mode != "auto":
            return self._mode == "on"
        if time.monotonic() - self._checked > RECHECK:
            async with self._lock:
                if time.monotonic() - self._checked > RECHECK:
                    self._known = await self._ask()
                    self._checked = time.monotonic()
        return self._known

    async def _ask(self) -> bool:
        url = f"{self._sidecar.base_url}/v1.0/metadata"
        try:
            timeout = aiohttp.ClientTimeout(total=2)
            async with self._sidecar.session.get(url, headers=self._sidecar.token_header, timeout=timeout) as answer:
                if answer.status != 200:
                    return False
                endpoints = (await answer.json()).get("httpEndpoints") or []
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False
        return any(endpoint.get("name") == self._name for endpoint in endpoints)
