"""R6: daprd killed, late, or with another token than its app: the app waits, says so, and goes on by itself."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from faults.ledger import Drill
from faults.load import Caller
from faults.stage import Stage, within
from omnify_local.journey import Marketer
from omnify_shared.testing import Service

pytestmark = pytest.mark.timeout(400)
Fault = Callable[[Service, float], Coroutine[Any, Any, None]]
DOORS = {"auth": "/api/auth/me", "analytics": "/api/analytics/imports"}
# What an app may answer without its sidecar's help: that a request has no token.
ANSWERED_ALONE: dict[str, set[int]] = {"killed": set(), "late": set(), "of_another_token": {401}}
NOTICED = 20.0  # seconds, on a busy machine; it takes about one


async def killed(service: Service, _: float) -> None:
    """The sidecar is gone at once."""
    service.sidecar.kill()


async def late(service: Service, seconds: float) -> None:
    """The app starts long before its sidecar."""
    service.terminate()
    service.sidecar.kill()
    await asyncio.to_thread(service.start, ready=False)
    await asyncio.sleep(seconds)


async def of_another_token(service: Service, _: float) -> None:
    """The sidecar comes back with an API token that the app does not have."""
    service.sidecar.kill()
    service.sidecar.environment["DAPR_API_TOKEN"] = "another token than the app has"
    await asyncio.to_thread(service.sidecar.start)


def variant(fault: Fault, *, short: bool = True) -> Any:
    title = f"a sidecar {fault.__name__.replace('_', ' ')}"
    return pytest.param(fault, marks=pytest.mark.drill("R6", title, short=short), id=fault.__name__)


@pytest.mark.parametrize("fault", [variant(killed), variant(of_another_token), variant(late, short=False)])
async def test_an_app_outlives_its_sidecar(drill: Drill, stage: Stage, fault: Fault) -> None:
    drill.ledger.recovery_limit = drill.pick(90, 30)  # a cold start; the short run shares its machine
    names = list(DOORS) if drill.full else [drill.random.choice(list(DOORS))]
    async with Caller(stage.platform.url) as caller:
        for name in names:
            await broken_and_mended(drill, stage, caller, name, fault)
        answers = caller.answers
        drill.ledger.note(answers=answers.summary())
        drill.ledger.check(not answers.improper, f"not a problem document: {answers.improper[:3]}")
    drill.settle()


async def broken_and_mended(drill: Drill, stage: Stage, caller: Caller, name: str, fault: Fault) -> None:
    service, ledger = stage.platform.services[name], drill.ledger
    try:
        await fault(service, drill.pick(2, 20))
        process = service.process
        assert process is not None
        pid = process.pid
        await within(NOTICED, lambda: not service.answers("ready"), f"{name} says that it is not ready")
        ledger.check(service.answers("live"), f"{name} is not alive without its sidecar")
        answer = await caller.ask(name, "GET", DOORS[name])
        refused = answer is not None and answer.status_code in {502, 503, 504, *ANSWERED_ALONE[fault.__name__]}
        ledger.check(refused, f"{name} is asked: {answer}")
        await asyncio.sleep(drill.pick(1, 5))
        ledger.check(process.running and process.pid == pid, f"{name} ended: {process.exit_code}")
    finally:
        since = time.monotonic()
        service.sidecar.environment.clear()
        service.sidecar.kill()
        await asyncio.to_thread(service.sidecar.start)
        if service.process is None:
            service.launch()
    await asyncio.to_thread(stage.platform.wait, 90, [name])
    await until_answered(caller, name)
    ledger.recovered(time.monotonic() - since)
    ledger.acknowledge(name)
    await asyncio.to_thread(joins_and_leaves, stage)
    ledger.find(name)


async def until_answered(caller: Caller, name: str, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while (answer := await caller.ask(name, "GET", DOORS[name])) is None or answer.status_code != 401:
            await asyncio.sleep(0.2)


def joins_and_leaves(stage: Stage) -> None:
    """A new account, its mail and the end of its session everywhere: state, events and calls work again."""
    marketer = Marketer(stage.platform.url)
    try:
        old = marketer.join(stage.platform.inbox, timeout=60).log_out()
        marketer.seconds_until_refused(old, DOORS["analytics"], limit=60)
    finally:
        marketer.close()
