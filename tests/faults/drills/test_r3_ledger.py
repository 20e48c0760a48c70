"""R3: keyed events against a consumer that fails now and then and is killed again and again."""

import asyncio
import time
from itertools import pairwise

import pytest

from faults.ledger import Drill
from faults.load import Load
from faults.pair import Pair, pair_in
from faults.tally import SOURCE, TALLY, deliveries
from omnify_shared.testing.plugin import NewHome

pytestmark = pytest.mark.timeout(400)
FAILS = 5  # percent of deliveries
PARTITIONS = 3  # each has at most one event in hand when its consumer is killed


async def kill_and_restart(pair: Pair, whom: str) -> None:
    """SIGKILL of the app or of its sidecar, and its start right after."""
    if whom == "app":
        await asyncio.to_thread(pair.tally.kill)
        await asyncio.to_thread(pair.tally.start)
    else:
        await asyncio.to_thread(pair.tally.sidecar.kill)
        await asyncio.to_thread(pair.tally.sidecar.start)


async def publish_under_kills(drill: Drill, pair: Pair, keys: list[str], kills: list[str]) -> None:
    """Publishes every event at a steady rate; all of the kills fall into that time."""
    total = drill.pick(60, 1000)
    waiting = [key for key in keys for _ in range(total // len(keys))]
    drill.random.shuffle(waiting)

    async def publish(number: int) -> None:
        if number < len(waiting):
            drill.ledger.acknowledge(await pair.count(waiting[number]))

    rate = drill.pick(15, 7)
    async with Load(rate, publish) as load:
        for whom in kills:
            await asyncio.sleep(drill.pick(0.5, drill.random.uniform(6, 14)))
            await kill_and_restart(pair, whom)
        async with asyncio.timeout(180):
            while load.started < len(waiting):
                await asyncio.sleep(0.1)


async def until_counted(drill: Drill, pair: Pair, keys: list[str], seconds: float = 90) -> dict[str, list[int]]:
    """Waits for everything acknowledged; returns what is there, complete or not."""
    deadline = time.monotonic() + seconds
    while True:
        found = await pair.tallies(keys)
        if sum(map(len, found.values())) >= drill.ledger.acknowledged or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.5)


def enter(drill: Drill, found: dict[str, list[int]]) -> None:
    for key, numbers in found.items():
        for number in numbers:
            drill.ledger.find(f"{key}/{number}")
        for before, after in pairwise(numbers):
            if after < before:
                drill.ledger.break_order()


@pytest.mark.drill("R3", "keyed events, failing handlers, a consumer killed again and again")
async def test_every_event_counts_once(drill: Drill, new_home: NewHome, set_name: str) -> None:
    home = new_home(set_name, extra=[SOURCE, TALLY])
    kills = drill.pick(["app", "sidecar"], ["app", "app", "sidecar", "app", "app"] * 2)
    keys = [f"{drill.seed}-{drill.random.getrandbits(32):08x}" for _ in range(drill.pick(10, 50))]
    async with pair_in(home, {"TALLY_FAILS": str(FAILS), "TALLY_SEED": str(drill.seed)}) as pair:
        await publish_under_kills(drill, pair, keys, kills)
        ended = time.monotonic()
        enter(drill, await until_counted(drill, pair, keys))
        drill.ledger.recovered(time.monotonic() - ended)
        letters = await pair.letters()
    noted = deliveries(home.path)
    failed = sum(delivery["fails"] for delivery in noted)
    again = len(noted) - len({delivery["id"] for delivery in noted})
    drill.ledger.note(kills=len(kills), failed_by_chance=failed, handled_again=again, dead_letters=len(letters))
    in_hand = PARTITIONS * len(kills)
    drill.ledger.check(again <= failed + in_hand, f"{again} handled again: the inbox does not absorb repetitions")
    drill.ledger.check(not letters, f"in the dead letters: {[letter['reason'] for letter in letters][:3]}")
    drill.settle()
