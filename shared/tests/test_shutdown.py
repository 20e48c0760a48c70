"""A stop loses no request: what a real uvicorn process took up when SIGTERM came is answered in full."""

import asyncio
import contextlib
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from omnify_local.paths import repository
from omnify_local.ports import free_port
from omnify_local.processes import Process
from omnify_shared.testing import Home, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import NewSidecar, make_home
from support.lab import LAB


class Replica:
    """The lab as a process of its own, started as a service is, and its sidecar."""

    def __init__(self, home: Home) -> None:
        self.port = free_port()
        self.sidecar = Sidecar(home, "lab", app_port=self.port)
        self.log = home.logs / f"lab-{self.port}.log"
        command = [
            sys.executable, "-m", "uvicorn", "--factory", "support.lab:create_app", "--host", "127.0.0.1",
            "--port", str(self.port), "--no-access-log", "--timeout-graceful-shutdown", "10",
        ]  # fmt: skip
        environment = self.sidecar.app_environment | {
            "PYTHONPATH": str(repository() / "tests"), "OMNIFY_ENVIRONMENT": "test"
        }  # fmt: skip
        self.process = Process("lab", command, log=self.log, cwd=home.path, env=environment)
        self.sidecar.start()
        self.sidecar.wait_for_app()
        self.process.wait_until(self._is_ready, timeout=30)

    def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=1).status_code == 200
        return False

    def begun(self) -> int:
        """How many slow requests the process took up."""
        return self.log.read_text().count('"slow begins"')

    async def ended(self, seconds: float = 30) -> int:
        async with asyncio.timeout(seconds):
            while self.process.running:
                await asyncio.sleep(0.02)
        return self.process.exit_code or 0

    def stop(self) -> None:
        self.process.terminate()
        self.sidecar.terminate()


@pytest.fixture
def replica(backing: Backing, tmp_path: Path) -> Iterator[Replica]:
    replica = Replica(make_home(backing, tmp_path / "home", "local", [LAB]))
    yield replica
    replica.stop()


@pytest.fixture
async def client(replica: Replica) -> AsyncIterator[httpx.AsyncClient]:
    headers = replica.sidecar.headers | {"dapr-app-id": "lab"}
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(base_url=replica.sidecar.url, headers=headers, timeout=15, limits=limits) as client:
        yield client


async def test_requests_in_flight_at_sigterm_all_complete(replica: Replica, client: httpx.AsyncClient) -> None:
    calls = [asyncio.create_task(client.get("/slow", params={"seconds": 1.0})) for _ in range(40)]
    async with asyncio.timeout(30):
        while replica.begun() < 40:
            await asyncio.sleep(0.02)
    replica.process.signal(signal.SIGTERM)
    answers = await asyncio.gather(*calls)
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, '"done"')] * 40
    assert await replica.ended() in (0, -signal.SIGTERM)


async def test_a_loop_of_requests_over_a_stop_loses_none(replica: Replica, client: httpx.AsyncClient) -> None:
    """Each request ends in one of two ways: answered, or refused by the sidecar before the app began with it."""
    outcomes: Counter[str] = Counter()
    stop = asyncio.Event()

    async def caller() -> None:
        while not stop.is_set():
            answer = await client.get("/slow", params={"seconds": 0.02})
            if answer.status_code == 200 and answer.text == '"done"':
                outcomes["answered"] += 1
            elif answer.status_code == 500 and "ERR_DIRECT_INVOKE" in answer.text:
                outcomes["not reached"] += 1
                await asyncio.sleep(0.05)
            else:
                outcomes[f"{answer.status_code} {answer.text[:200]}"] += 1

    callers = [asyncio.create_task(caller()) for _ in range(16)]
    async with asyncio.timeout(30):
        while replica.begun() <= 200:
            await asyncio.sleep(0.05)
    replica.process.signal(signal.SIGTERM)
    await replica.ended()
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.gather(*callers)
    print(outcomes)
    assert set(outcomes) <= {"answered", "not reached"}
    assert outcomes["answered"] == replica.begun()


async def test_a_replica_that_leaves_costs_no_caller_a_request(
    replica: Replica, backing: Backing, new_sidecar: NewSidecar
) -> None:
    """The order of a rolling restart: the sidecar leaves the name resolution and drains, then its app stops."""
    home = replica.sidecar.home
    other = await asyncio.to_thread(Replica, home)
    peer = await asyncio.to_thread(new_sidecar, home, "email")
    outcomes: Counter[str] = Counter()
    stop = asyncio.Event()

    async def caller(client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            answer = await client.get("/slow", params={"seconds": 0.02})
            outcomes["answered" if answer.text == '"done"' else f"{answer.status_code} {answer.text[:200]}"] += 1

    headers = peer.headers | {"dapr-app-id": "lab"}
    try:
        async with httpx.AsyncClient(base_url=peer.url, headers=headers, timeout=30) as client:
            callers = [asyncio.create_task(caller(client)) for _ in range(8)]
            async with asyncio.timeout(30):
                while min(replica.begun(), other.begun()) <= 10:
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(other.sidecar.terminate)
            other.process.signal(signal.SIGTERM)
            await other.ended()
            await asyncio.sleep(0.5)
            stop.set()
            await asyncio.gather(*callers)
    finally:
        other.stop()
    print(outcomes)
    assert set(outcomes) == {"answered"}
    assert outcomes["answered"] == replica.begun() + other.begun()
