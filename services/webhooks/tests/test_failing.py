"""An endpoint that only fails rests, and is disabled in the end; the others do not notice."""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

DAYS_OF_FAILURES = {
    "WEBHOOKS_BREAKER_FAILURES": "3",
    "WEBHOOKS_BREAKER_WAIT": "1",
    "WEBHOOKS_DISABLE_AFTER": "4",
}


@pytest.fixture(scope="module")
def short(new_hooks: Callable[..., Any]) -> Any:
    """Where days are seconds."""
    return new_hooks(**DAYS_OF_FAILURES)


async def disabled(endpoint: Any, seconds: float = 60) -> None:
    """Returns once the endpoint is disabled."""
    deadline = time.monotonic() + seconds
    while endpoint.state["enabled"]:
        assert time.monotonic() < deadline, "still enabled"
        await asyncio.sleep(0.1)


async def test_an_endpoint_that_fails_rests_and_is_disabled_in_the_end(short: Any) -> None:
    ada = short.tenant()
    failing, well = ada.endpoint("fail-99"), ada.endpoint("ok")
    for _ in range(4):
        await ada.fail_import()
    await disabled(failing)
    assert failing.state["disabled_reason"] == "failing"
    times = [request["at"] for request in short.taken(failing.path)]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) >= 0.9, "it did not rest"
    assert len(await well.ended("delivered", 4)) == 4
    await failing.ended("cancelled")
    assert ada.ask("PATCH", failing.url, 200, json={"enabled": True})["disabled_reason"] is None


async def test_a_host_without_an_address_is_a_failure_like_any_other(short: Any) -> None:
    ada = short.tenant()
    form = {"url": "https://hooks.omnify.invalid/x", "event_types": ["omnify.analytics.import.failed.v1"]}
    endpoint_id = ada.ask("POST", "/endpoints", 201, json=form)["endpoint_id"]
    for _ in range(2):
        await ada.fail_import()
    deadline = time.monotonic() + 60
    while ada.ask("GET", f"/endpoints/{endpoint_id}", 200)["enabled"]:
        assert time.monotonic() < deadline, "still enabled"
        await asyncio.sleep(0.1)
    [first, *_] = ada.ask("GET", f"/endpoints/{endpoint_id}/deliveries", 200)["items"]
    found = ada.ask("GET", f"/endpoints/{endpoint_id}/deliveries/{first['message_id']}", 200)
    assert found["attempts"][0]["error"] == "no answer: the host's name is unknown"


async def test_endpoints_that_hang_cost_the_others_nothing(short: Any) -> None:
    ada = short.tenant()
    hanging, well = [ada.endpoint("hang") for _ in range(3)], ada.endpoint("ok")
    for _ in range(20):
        await ada.fail_import()
    started = time.monotonic()
    await well.ended("delivered", 20)
    assert all(len(short.taken(one.path)) < 20 for one in hanging) or time.monotonic() - started < 10
