"""R14: the signing keys are rotated while people ask and strangers try made-up keys; no good token is refused."""

import asyncio
import json
import time

import pytest

from faults.ledger import Drill
from faults.load import Caller, Load
from faults.stage import Stage
from faults.visitors import Visitors, rotated
from omnify_local.journey import Marketer
from omnify_shared.testing import Platform

pytestmark = pytest.mark.timeout(300)
VERIFIERS = 2  # services that fetch the keys by invocation: analytics, and email should it ever be asked
BETWEEN = 2.0  # seconds between fetches for unknown keys


def fetches(platform: Platform) -> int:
    """How often auth was asked for its keys, as its log says."""
    lines = platform.services["auth"].log.read_text().splitlines()
    return sum(1 for line in lines if '"event":"request"' in line and json.loads(line)["route"].endswith("/jwks.json"))


@pytest.mark.drill("R14", "keys rotated while people ask")
async def test_no_good_token_is_refused(drill: Drill, stage: Stage) -> None:
    platform, ledger = stage.platform, drill.ledger
    marketers = [Marketer(platform.url) for _ in range(drill.pick(2, 6))]
    for marketer in marketers:
        await asyncio.to_thread(marketer.join, platform.inbox, timeout=60)
    async with Caller(platform.url) as caller:
        visitors = Visitors(caller, [marketer.tokens for marketer in marketers])
        before, since = fetches(platform), time.monotonic()
        async with Load(drill.pick(20, 50), visitors.ask):
            await ask_and_rotate(drill, platform, visitors)
        asked, seconds = fetches(platform) - before, time.monotonic() - since
    for marketer in marketers:
        marketer.close()
    bound = VERIFIERS * (seconds / BETWEEN + 2)
    ledger.check(not visitors.wrong, f"{len(visitors.wrong)} good tokens refused, such as {visitors.wrong[:3]}")
    ledger.check(not visitors.let_in, f"{visitors.let_in} made-up tokens let in")
    ledger.check(asked <= bound, f"{asked} key fetches in {seconds:.0f} s, more than {bound:.0f}")
    ledger.note(good=visitors.good, strangers=caller.answers.statuses["stranger"].total(), fetches=asked)
    drill.settle()


async def ask_and_rotate(drill: Drill, platform: Platform, visitors: Visitors) -> None:
    """A planned rotation nobody notices, then a leaked key, once or more."""
    pause = drill.pick(1.5, 8)
    await asyncio.sleep(pause)
    published = await rotated(platform, leaked=False)
    drill.ledger.check(len(published) >= 2, "the next key is not published before it signs")
    await asyncio.sleep(pause)
    for _ in range(drill.pick(1, 4)):
        visitors.withdrawn |= set(published)
        published = await rotated(platform, leaked=True)
        visitors.withdrawn -= set(published)
        for session in visitors.sessions:
            await visitors.exchange(session)
        await asyncio.sleep(pause)
