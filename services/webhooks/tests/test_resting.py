"""What an endpoint misses while it rests waits where it costs nothing, and comes once it is back."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

RESTS_SOON = {"WEBHOOKS_BREAKER_FAILURES": "3", "WEBHOOKS_BREAKER_WAIT": "1", "WEBHOOKS_BREAKER_LONGEST": "2"}
PAGES = 130  # deliveries, which are more than one page


@pytest.fixture(scope="module")
def resting(new_hooks: Callable[..., Any]) -> Any:
    """Where an endpoint rests after three failures."""
    return new_hooks(**RESTS_SOON)


async def test_all_that_was_missed_comes_once_it_is_back(resting: Any) -> None:
    ada = resting.tenant()
    down, well = ada.endpoint("down-6"), ada.endpoint("ok")
    for _ in range(3):
        await ada.fail_import()
    await resting.arrived(down.path, 3)
    await asyncio.gather(*(ada.fail_import() for _ in range(PAGES)))
    wanted = {request["headers"]["webhook-id"] for request in await resting.arrived(well.path, 3 + PAGES)}
    await resting.arrived(down.path, 6 + len(wanted))
    times = Counter(request["headers"]["webhook-id"] for request in resting.taken(down.path))
    assert set(times) == wanted
    assert sum(times.values()) == 6 + len(wanted), "each once, but for the six times that it failed"


@pytest.mark.parametrize("point", ["webhooks.park.written", "webhooks.wake.held", "webhooks.wake.offered"])
async def test_killed_while_deliveries_wait(resting: Any, point: str) -> None:
    ada = resting.tenant()
    down = ada.endpoint("down-12")
    resting.webhooks.die_at(point)
    for _ in range(8):
        await ada.fail_import()
    await asyncio.to_thread(resting.webhooks.wait_for_death)
    await asyncio.to_thread(resting.webhooks.start)
    delivered = await down.ended("delivered", 8)
    assert len({one["message_id"] for one in delivered}) == 8
    times = Counter(request["headers"]["webhook-id"] for request in resting.taken(down.path))
    assert set(times) == {one["message_id"] for one in delivered}
    assert sum(times.values()) <= 12 + 8 + 8, "once more only where the answer was not recorded"
