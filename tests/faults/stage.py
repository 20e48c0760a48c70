"""The platform that drills break: its servers, and the proxies in front of them in a full run."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from omnify_local import paths, runfile, secrets
from omnify_local.ports import LOOPBACK, free_port
from omnify_local.servers import Server
from omnify_local.servers.toxiproxy import Proxy, Toxiproxy
from omnify_shared.testing import Home, Platform
from omnify_shared.testing.backing import Backing

_ADDRESS = re.compile(re.escape(LOOPBACK) + r":(\d+)")


@dataclass
class Stage:
    """`proxies` are by what is behind them: `mongodb-url`, `kafka-brokers`, … as in infrastructure.json."""

    platform: Platform
    backing: Backing
    proxies: Mapping[str, Proxy]

    @property
    def set_name(self) -> str:
        """The component set it runs on."""
        return self.platform.home.set_name

    @property
    def broker(self) -> Server:
        """What carries the events."""
        return self.backing.broker(self.set_name)

    @property
    def store(self) -> Server | None:
        """What keeps the state; None where that is a file."""
        types = runfile.component_types(paths.repository(), self.set_name)
        if "state.mongodb" in types:
            return self.backing.mongo
        return self.backing.postgres if "state.postgresql" in types else None

    async def mended(self, seconds: float = 60) -> float:
        """Waits until every service is ready and a request through all of it answers. Returns the seconds it took."""
        started = time.monotonic()
        await asyncio.to_thread(self.platform.wait, seconds)
        async with httpx.AsyncClient(base_url=self.platform.url, timeout=10) as client, asyncio.timeout(seconds):
            for path in ("/api/auth/me", "/api/analytics/imports"):
                while (await client.get(path)).status_code != 401:
                    await asyncio.sleep(0.1)
        return time.monotonic() - started


@contextmanager
def proxied_stage(home: Home, backing: Backing, folder: Path, seed: int) -> Iterator[Stage]:
    """A platform of its own whose sidecars reach their servers through toxiproxy."""
    with proxies_of(home, backing, folder, seed) as proxies:
        platform = Platform(home, backing.mailbox, backing.scanner).start()
        try:
            yield Stage(platform, backing, proxies)
        finally:
            platform.stop()
            platform.inbox.close()


@contextmanager
def proxies_of(
    home: Home, backing: Backing, folder: Path, seed: int, files: str = "*.yaml"
) -> Iterator[dict[str, Proxy]]:
    """Puts a proxy in front of every server that these files of `home` name, and has them name the proxies instead."""
    server = Toxiproxy(folder / "toxiproxy", free_port(), seed)
    server.start()
    try:
        addresses, proxies = secrets.read(home.path, secrets.INFRASTRUCTURE), {}
        named = "".join(file.read_text() for file in home.components.glob(files))
        for name, address in list(addresses.items()):
            if name in named and (found := _ADDRESS.search(address)):
                proxies[name] = _proxy(server, name, int(found.group(1)), backing)
                addresses[name] = _ADDRESS.sub(f"{LOOPBACK}:{proxies[name].port}", address)
        secrets.write(home.path, secrets.INFRASTRUCTURE, addresses)
        yield proxies
    finally:
        server.stop()


def _proxy(server: Toxiproxy, name: str, port: int, backing: Backing) -> Proxy:
    if name == "kafka-brokers" and (listener := backing.kafka.proxied):
        # Clients of Kafka go where the broker tells them, so it has a listener that names a proxy's port.
        return server.proxy(name, listen=listener.advertised, upstream=listener.port)
    return server.proxy(name, listen=free_port(), upstream=port)


async def within(seconds: float, holds: Callable[[], bool], what: str) -> float:
    """Waits until `holds()`; returns the seconds that took. Raises TimeoutError with `what`."""
    started = time.monotonic()
    while not await asyncio.to_thread(holds):
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.1)
    return time.monotonic() - started
