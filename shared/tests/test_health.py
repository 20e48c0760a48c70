"""Health with and without a sidecar: the process lives on its own and gets ready when its sidecar appears."""

import asyncio
import time

import httpx2 as httpx

from omnify_local.ports import free_port
from omnify_shared.dapr.client import CALL_TIMEOUT
from omnify_shared.testing import Home, Sidecar
from support.lab import Lab, create_app, serving, settings_beside, until_ready


async def test_without_a_sidecar_the_app_lives_and_is_not_ready(alone: httpx.AsyncClient) -> None:
    for path in ("/health", "/health/live"):
        answer = await alone.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "healthy", "service": "lab"})
    answer = await alone.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready", "service": "lab", "checks": {"sidecar": False, "outbox": False}
    }  # fmt: skip


async def test_beside_a_sidecar_the_app_is_ready(lab: Lab) -> None:
    answer = await lab.direct.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "service": "lab", "checks": {"sidecar": True, "outbox": True}}


async def test_calls_that_need_the_sidecar_say_so_at_once(alone: httpx.AsyncClient) -> None:
    started = time.perf_counter()
    answer = await alone.post("/things", json={"name": "a"}, headers={"idempotency-key": "k"})
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["type"] == "https://omnify.dev/problems/sidecar-unavailable"
    assert answer.headers["retry-after"] == "1"
    peer = await alone.get("/via-peer")
    assert (peer.status_code, peer.json()["type"]) == (503, "https://omnify.dev/problems/service-unavailable")
    assert time.perf_counter() - started < CALL_TIMEOUT, "nothing waited for a sidecar that is not there"


class Heartbeat:
    """Notes the longest time that the event loop was held."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> "Heartbeat":
        self._task = asyncio.create_task(self._beat())
        return self

    async def _beat(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.longest = max(self.longest, time.perf_counter() - before - 0.005)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_an_app_whose_sidecar_comes_late_goes_away_and_returns(home: Home) -> None:
    port = free_port()
    sidecar = Sidecar(home, "lab", app_port=port)
    headers = {"dapr-api-token": home.app_api_token}
    try:
        async with serving(create_app(settings_beside(sidecar)), port, **headers) as client, Heartbeat() as heart:
            await asyncio.sleep(1)
            assert (await client.get("/health/ready")).status_code == 503
            assert (await client.get("/health/live")).status_code == 200

            await asyncio.to_thread(sidecar.start)
            await until_ready(client)
            made = await client.post("/things", json={"name": "a"}, headers={"idempotency-key": "late"})
            assert made.status_code == 201

            await asyncio.to_thread(sidecar.kill)
            async with asyncio.timeout(30):
                while (await client.get("/health/ready")).status_code == 200:
                    await asyncio.sleep(0.02)
            refused = await client.post("/things", json={"name": "a"}, headers={"idempotency-key": "later"})
            assert refused.status_code == 503
            assert (await client.get("/health/live")).status_code == 200

            await asyncio.to_thread(sidecar.start)
            await until_ready(client)
            async with asyncio.timeout(30):
                while True:
                    again = await client.post("/things", json={"name": "a"}, headers={"idempotency-key": "later"})
                    if again.status_code == 201:
                        break
                    await asyncio.sleep(0.05)
            assert heart.longest < CALL_TIMEOUT / 2, "the event loop was never held"
    finally:
        await asyncio.to_thread(sidecar.terminate)


async def test_a_frozen_sidecar_makes_the_app_not_ready_and_holds_nothing(home: Home) -> None:
    port = free_port()
    sidecar = Sidecar(home, "lab", app_port=port)
    try:
        async with serving(
            create_app(settings_beside(sidecar)), port, **{"dapr-api-token": home.app_api_token}
        ) as client:
            await asyncio.to_thread(sidecar.start)
            await until_ready(client)
            sidecar.suspend()
            async with Heartbeat() as heart, asyncio.timeout(30):
                while (await client.get("/health/ready")).status_code == 200:
                    await asyncio.sleep(0.05)
            assert (await client.get("/health/live")).status_code == 200
            assert heart.longest < CALL_TIMEOUT / 2, "no call held the event loop until it was given up"
            sidecar.resume()
            await until_ready(client)
    finally:
        await asyncio.to_thread(sidecar.terminate)
