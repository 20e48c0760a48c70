"""Fixtures: the building blocks as a service sees them, on a real sidecar, on each component set."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2 as httpx
import pytest

from conformance.probe import (
    CONSUMER,
    PROBE,
    Consumer,
    ConsumerSettings,
    Notes,
    consumer_app,
    running,
    serving,
    settings_for,
)
from omnify_local.ports import free_port
from omnify_shared.platform import Platform
from omnify_shared.testing import Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home


@pytest.fixture(scope="session")
def probe_sidecars(backing: Backing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Sidecar]]:
    """One daprd per set for the whole session, started when a set is first asked for."""
    started: dict[str, Sidecar] = {}

    def of(set_name: str) -> Sidecar:
        if set_name not in started:
            home = make_home(
                backing, tmp_path_factory.mktemp(f"probe-{set_name}") / "home", set_name, [PROBE, CONSUMER]
            )
            started[set_name] = Sidecar(home, "probe").start()
        return started[set_name]

    yield of
    for sidecar in started.values():
        sidecar.terminate()


@pytest.fixture
def probe_sidecar(set_name: str, probe_sidecars: Callable[[str], Sidecar]) -> Sidecar:
    return probe_sidecars(set_name)


@pytest.fixture
async def probe(probe_sidecar: Sidecar) -> AsyncIterator[Platform]:
    async with running(probe_sidecar) as platform:
        yield platform


@pytest.fixture
async def consumer(probe_sidecar: Sidecar) -> AsyncIterator[Consumer]:
    port, notes = free_port(), Notes()
    sidecar = Sidecar(probe_sidecar.home, "consumer", app_port=port)
    async with serving(consumer_app(settings_for(sidecar, ConsumerSettings), notes), port):
        await asyncio.to_thread(sidecar.start)
        try:
            await asyncio.to_thread(sidecar.wait_for_app)
            await until_ready(port)
            yield Consumer(notes, sidecar)
        finally:
            await asyncio.to_thread(sidecar.terminate)


async def until_ready(port: int, seconds: float = 30) -> None:
    """Waits until the app has noticed its sidecar."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as client, asyncio.timeout(seconds):
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.02)
