"""R10: a service is told to stop while it is used. What it took up it answers; what comes too late is told so."""

import asyncio
import json
import signal
import time
from dataclasses import dataclass, field

import httpx2 as httpx
import pytest

from faults.ledger import Drill
from faults.load import Load
from faults.stage import Stage
from omnify_local.journey import Marketer
from omnify_shared.ids import new_id
from omnify_shared.testing import Service

pytestmark = pytest.mark.timeout(300)
EXIT_WITHIN = 15.0  # seconds
REFUSALS = frozenset({502, 503, 504})


@dataclass
class Users:
    """People who ask without pause, each request under an id of its own that the services log."""

    http: httpx.AsyncClient
    marketer: Marketer
    asked: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    unreached: set[str] = field(default_factory=set)
    torn: list[str] = field(default_factory=list)

    async def ask(self, number: int) -> None:
        """One request of the mix; how it ended is entered."""
        name = new_id()
        self.asked.add(name)
        headers = {"x-request-id": name, "authorization": f"Bearer {self.marketer.tokens['access_token']}"}
        try:
            answer = await self._send(number, headers)
        except httpx.ConnectError:
            self.unreached.add(name)
            return
        except httpx.HTTPError as error:
            self.torn.append(f"{name} {type(error).__name__}")
            return
        problem = answer.headers.get("content-type") == "application/problem+json"
        if answer.is_success:
            self.done.add(name)
        elif answer.status_code in REFUSALS and problem:
            self.refused.add(name)
        else:
            self.torn.append(f"{name} {answer.status_code} {answer.text[:80]}")

    async def _send(self, number: int, headers: dict[str, str]) -> httpx.Response:
        if number % 8 == 0:
            body = {"email": self.marketer.email, "password": self.marketer.password}
            return await self.http.post("/api/auth/login", json=body, headers={"x-request-id": headers["x-request-id"]})
        return await self.http.get(("/api/auth/me", "/api/analytics/imports")[number % 2], headers=headers)


@pytest.mark.drill("R10", "a service stopped in order under load")
async def test_what_was_taken_up_is_answered(drill: Drill, stage: Stage) -> None:
    drill.ledger.recovery_limit = drill.pick(90, 30)  # a cold start; the short run shares its machine
    marketer = await asyncio.to_thread(Marketer(stage.platform.url).join, stage.platform.inbox, timeout=60)
    try:
        for name in drill.pick(("auth",), ("auth", "analytics", "gateway")):
            limits = httpx.Limits(max_connections=256)
            async with httpx.AsyncClient(base_url=stage.platform.url, timeout=75, limits=limits) as http:
                await stopped(drill, stage, name, Users(http, marketer))
    finally:
        marketer.close()
    drill.settle()


async def stopped(drill: Drill, stage: Stage, name: str, users: Users) -> None:
    """Stops a service and then its sidecar while the users ask, and starts both again."""
    service, ledger = stage.platform.services[name], drill.ledger
    async with Load(drill.pick(20, 50), users.ask):
        await asyncio.sleep(drill.pick(1.5, 5))
        process = service.process
        assert process is not None
        since = time.monotonic()
        process.signal(signal.SIGTERM)
        while process.running and time.monotonic() - since < EXIT_WITHIN + 15:
            await asyncio.sleep(0.05)
        took = time.monotonic() - since
        await asyncio.to_thread(service.terminate)
        await asyncio.to_thread(service.sidecar.terminate)
        since = time.monotonic()
        service.sidecar.launch()
        service.launch()
        await asyncio.to_thread(stage.platform.wait, 90, [name])
        ledger.recovered(time.monotonic() - since)
        await asyncio.sleep(drill.pick(0.5, 3))
    handled = handled_by(service) & users.asked
    for request in handled:
        ledger.acknowledge(request)
    for request in handled & users.done:
        ledger.find(request)
    ledger.check(took <= EXIT_WITHIN, f"{name} took {took:.1f} s to stop")
    ledger.check(not users.torn, f"{name}: {len(users.torn)} torn answers, such as {users.torn[:3]}")
    ledger.check(name == "gateway" or not users.unreached, f"{len(users.unreached)} requests did not reach the gateway")
    ledger.note(
        **{name: f"stopped in {took:.1f} s, {len(handled & users.done)} answered, {len(users.refused)} refused"}
    )


def handled_by(service: Service) -> set[str]:
    """The ids of the requests that the service did, as its own log says."""
    lines = (json.loads(line) for line in service.log.read_text().splitlines() if '"event":"request"' in line)
    return {line["request_id"] for line in lines if line["status"] < 300}
