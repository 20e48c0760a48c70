"""R17: events that can't be handled, from a publisher that keeps to nothing, among others that can."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from faults.ledger import Drill
from faults.pair import Pair, pair_in
from faults.tally import SOURCE, TALLY, TOPIC, Counted, deliveries
from omnify_shared.events import CloudEvent
from omnify_shared.events.publisher import PUBSUB
from omnify_shared.events.subscriptions import TRIES
from omnify_shared.testing import Home
from omnify_shared.testing.plugin import NewHome

pytestmark = pytest.mark.timeout(300)
CAUSES = {
    "bad JSON": "not a CloudEvent",
    "no object": "not a CloudEvent",
    "no type": "not a CloudEvent",
    "wrong schema": "data.number: Field required",
    "numeric traceid": "data.number: Field required",
    "poison": "it is marked as poison",
}
HUGE = 700_000  # bytes of one event; Kafka takes 1 MB


def event_of(key: str, name: str, **other: Any) -> dict[str, Any]:
    wire = CloudEvent.of(Counted(key=key, number=1), source="foreign", subject=key, sequence=1).wire()
    return {**wire, "id": f"{key}-{name}", **other}


def poisons(key: str) -> dict[str, bytes]:
    """What lands on the topic, byte by byte, past all of a sidecar's checks."""
    return {
        "bad JSON": b'{"id": "' + key.encode() + b'-bad JSON", "data": {',
        "no object": json.dumps([f"{key}-no object"]).encode(),
        "numeric traceid": json.dumps(event_of(key, "numeric traceid", traceid=7, data={})).encode(),
        "wrong schema": json.dumps(event_of(key, "wrong schema", data={"nome": 1})).encode(),
        "no type": json.dumps({"id": f"{key}-no type", "source": "foreign", "specversion": "1.0"}).encode(),
        "poison": json.dumps(event_of(key, "poison", data={"key": key, "number": 1, "poison": True})).encode(),
    }


def huge(key: str, number: int) -> dict[str, Any]:
    """One that a stranger sends; none of ours is larger than `LARGEST` of omnify_shared.events."""
    return event_of(key, "huge", data={"key": key, "number": number, "padding": "x" * HUGE})


async def put(pair: Pair, content: bytes) -> None:
    """Puts bytes onto the topic as they are."""
    raw = {"rawPayload": "true", "partitionKey": "foreign"}
    client = pair.source.sidecar.client
    await pair.source.sidecar.call(client.publish_event(PUBSUB, TOPIC, content, publish_metadata=raw))


async def letters_by_text(pair: Pair, wanted: Mapping[str, str], seconds: float) -> dict[str, dict[str, Any]]:
    """The dead letters that hold each text, once all are there or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        letters = await pair.letters()
        found = {
            name: letter for name, text in wanted.items() for letter in letters if text in json.dumps(letter["event"])
        }
        if len(found) == len(wanted) or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.3)


async def all_counted(drill: Drill, pair: Pair, keys: list[str], seconds: float) -> dict[str, list[int]]:
    """What the consumer has of each key, once it is all that was promised or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        found = await pair.tallies(keys)
        if sum(map(len, found.values())) >= drill.ledger.acknowledged or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.3)


async def others_flow(drill: Drill, pair: Pair, key: str, count: int) -> None:
    names = [await pair.count(key) for _ in range(count)]
    for name in names:
        drill.ledger.acknowledge(name)


@pytest.mark.drill("R17", "poison among events that can be handled")
async def test_poison_is_put_aside_with_its_cause(drill: Drill, new_home: NewHome, set_name: str) -> None:
    home = new_home(set_name, extra=[SOURCE, TALLY])
    key = f"{drill.random.getrandbits(64):016x}"
    async with pair_in(home) as pair:
        bad = poisons(key)
        started = time.monotonic()
        for content in bad.values():
            await put(pair, content)
            await others_flow(drill, pair, key, drill.pick(2, 20))
        await others_flow(drill, pair, f"{key}-huge", 1)
        await put(pair, json.dumps(huge(f"{key}-huge", number=2)).encode())
        drill.ledger.acknowledge(f"{key}-huge/2")
        wanted = {name: f"{key}-{name}" for name in bad}
        letters = await letters_by_text(pair, wanted, seconds=60)
        for tallied, numbers in (await all_counted(drill, pair, [key, f"{key}-huge"], seconds=30)).items():
            for number in numbers:
                drill.ledger.find(f"{tallied}/{number}")
        drill.ledger.recovered(time.monotonic() - started)
    for name in bad:
        drill.ledger.acknowledge(f"letter: {name}")
        drill.ledger.find(f"letter: {name}", int(name in letters))
    judge(drill, home, letters)
    drill.settle()


def judge(drill: Drill, home: Home, letters: Mapping[str, dict[str, Any]]) -> None:
    """Few tries, and a cause that tells an operator what was wrong."""
    reasons = {name: letter["reason"] for name, letter in letters.items()}
    tries = {name: letter["attempts"] for name, letter in letters.items()}
    drill.ledger.note(causes="; ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items())))
    drill.ledger.check(max(tries.values(), default=0) <= TRIES, f"too many tries: {tries}")
    for name, word in CAUSES.items():
        drill.ledger.check(word in reasons.get(name, ""), f"{name}: the cause is {reasons.get(name)!r}")
    poisoned = sum(1 for one in deliveries(home.path) if one["fails"])
    drill.ledger.check(poisoned == 1, f"poison was handled {poisoned} times")
