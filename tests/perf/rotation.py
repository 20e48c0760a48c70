"""Signing keys rotated under load, planned and for a leak: how many good tokens were refused."""

import asyncio

from faults.load import Caller, Load
from faults.visitors import Visitors, rotated
from perf.measure import Row
from perf.services import Bench

RATE = 50  # requests a second
PEOPLE = 6
PAUSE = 4.0  # seconds between what an operator does


def rows(bench: Bench) -> list[Row]:
    """Refusals of tokens that were good, and made-up tokens let in, of all that were shown."""
    marketers = [bench.joined() for _ in range(PEOPLE)]
    visitors = asyncio.run(_visited(bench, [marketer.tokens for marketer in marketers]))
    shown = visitors.good + len(visitors.wrong)
    return [
        Row(f"good tokens refused while keys rotate, at {RATE}/s", len(visitors.wrong), shown, "", "<= 0"),
        Row("made-up tokens let in meanwhile", visitors.let_in, shown, "", "<= 0"),
    ]


async def _visited(bench: Bench, sessions: list[dict[str, object]]) -> Visitors:
    async with Caller(bench.platform.url) as caller:
        visitors = Visitors(caller, sessions)
        async with Load(RATE, visitors.ask):
            await asyncio.sleep(PAUSE)
            published = await rotated(bench.platform, leaked=False)
            await asyncio.sleep(PAUSE)
            visitors.withdrawn |= set(published)
            visitors.withdrawn -= set(await rotated(bench.platform, leaked=True))
            for session in visitors.sessions:
                await visitors.exchange(session)
            await asyncio.sleep(PAUSE)
    return visitors
