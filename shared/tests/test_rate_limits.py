"""Rate limits on real state: replicas count together and never let more through."""

import asyncio
from datetime import timedelta

import pytest

from omnify_shared.dapr.errors import Contended
from omnify_shared.ids import new_id
from omnify_shared.problems import TooManyRequests
from omnify_shared.ratelimits import RateLimits
from support.lab import Lab

MINUTE = timedelta(minutes=1)


async def hits(limits: RateLimits, key: str, count: int, limit: int, window: timedelta = MINUTE) -> list[object]:
    return await asyncio.gather(
        *(limits.hit("lab", key, limit=limit, window=window) for _ in range(count)), return_exceptions=True
    )


async def test_the_limit_holds_one_by_one(lab: Lab) -> None:
    key = new_id()
    for _ in range(3):
        await lab.platform.rate_limits.hit("lab", key, limit=3, window=MINUTE)
    with pytest.raises(TooManyRequests) as refusal:
        await lab.platform.rate_limits.hit("lab", key, limit=3, window=MINUTE)
    assert 50 <= int(refusal.value.headers["Retry-After"]) <= 60


async def test_parallel_hits_never_exceed_the_limit(lab: Lab) -> None:
    for _ in range(3):
        key = new_id()
        results = await hits(lab.platform.rate_limits, key, 40, limit=7)
        refused = {type(result) for result in results if result is not None}
        assert results.count(None) <= 7
        assert refused <= {TooManyRequests, Contended}
        again = await hits(lab.platform.rate_limits, key, 1, limit=7)
        assert results.count(None) == 7 or again == [None], "what was not used is still there"


async def test_keys_and_names_count_apart(lab: Lab) -> None:
    limits, key = lab.platform.rate_limits, new_id()
    await limits.hit("lab", key, limit=1, window=MINUTE)
    await limits.hit("lab", key + "x", limit=1, window=MINUTE)
    await limits.hit("other", key, limit=1, window=MINUTE)
    with pytest.raises(TooManyRequests):
        await limits.hit("lab", key, limit=1, window=MINUTE)


async def test_a_window_ends(lab: Lab) -> None:
    limits, key, window = lab.platform.rate_limits, new_id(), timedelta(seconds=3)
    await limits.hit("lab", key, limit=1, window=window)
    with pytest.raises(TooManyRequests):
        await limits.hit("lab", key, limit=1, window=window)
    await asyncio.sleep(3.05)
    await limits.hit("lab", key, limit=1, window=window)


async def test_a_key_is_not_stored_as_it_is(lab: Lab) -> None:
    await lab.platform.rate_limits.hit("lab", "person@example.com", limit=9, window=MINUTE)
    files = [path for path in lab.sidecar.home.path.rglob("lab.db*") if path.is_file()]
    assert files
    assert not any(b"person@example.com" in path.read_bytes() for path in files)
