"""A consumer that keeps a tally per key, as a service of ours would: started as a process by drills that kill it.

It notes each delivery in `tally.jsonl` and fails a share of them (TALLY_FAILS, in percent) by chance (TALLY_SEED).
"""

import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from fastapi import FastAPI
from pydantic import BaseModel

from conformance.probe import PROBE
from omnify_shared.app import service_app
from omnify_shared.documents import Documents, Emit
from omnify_shared.events import CloudEvent, EventData, Poison, Subscriptions
from omnify_shared.platform import Platform
from omnify_shared.settings import Settings
from omnify_shared.testing import ExtraApp

TOPIC = "counts-events"
SOURCE = ExtraApp("probe", publishes=(TOPIC,), secrets=PROBE.secrets)
TALLY = ExtraApp("tally", publishes=("tally-deadletters",), subscribes=(TOPIC, "tally-deadletters"))
NOTES = "tally.jsonl"


class Counted(EventData, type="omnify.counts.number.counted.v1"):
    """What the drills publish: numbers 1, 2, … of a key. `poison` can never be handled."""

    key: str
    number: int
    poison: bool = False
    padding: str = ""


class Key(BaseModel):
    """The publisher's aggregate."""

    last: int


class Tally(BaseModel):
    """What the consumer keeps of a key: the numbers in the order in which they were taken in."""

    numbers: list[int]


class TallySettings(Settings):
    app_id: ClassVar[str] = "tally"


def deliveries(home: Path) -> list[dict[str, Any]]:
    """Every delivery that reached the handler in a home: the ones that the inbox dropped are not among them."""
    path = home / NOTES
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _note(delivery: dict[str, Any]) -> None:
    with Path(NOTES).open("a") as file:
        file.write(json.dumps(delivery) + "\n")


class Tallies:
    """The service: one document per key; a number that is in it already changes nothing."""

    def __init__(self, platform: Platform) -> None:
        self._tallies = Documents(platform.state, "tally", Tally)
        self._fails = float(os.environ.get("TALLY_FAILS", "0")) / 100
        self._random = random.Random(f"{os.environ.get('TALLY_SEED')}/{len(deliveries(Path()))}")

    async def take(self, event: CloudEvent[Counted]) -> None:
        """Adds the number to its key's tally, or fails by chance before or after."""
        data, chance = event.data, self._random.random()
        _note({"key": data.key, "number": data.number, "id": event.id, "fails": data.poison or chance < self._fails})
        if data.poison:
            raise Poison("it is marked as poison")
        if chance < self._fails / 2:
            raise RuntimeError("failed by chance before its effect")

        def add(tally: Tally, _: Emit) -> Tally:
            return tally if data.number in tally.numbers else Tally(numbers=[*tally.numbers, data.number])

        await self._tallies.upsert(data.key, initial=lambda: Tally(numbers=[]), change=add)
        if chance < self._fails:
            raise RuntimeError("failed by chance after its effect")


def create_app() -> FastAPI:
    """The app; settings come from the environment."""
    subscriptions = Subscriptions("tally")

    @subscriptions.on(Counted, dedupe="inbox")
    async def count(event: CloudEvent[Counted], service: Tallies) -> None:
        await service.take(event)

    @asynccontextmanager
    async def build(platform: Platform) -> AsyncIterator[Tallies]:
        yield Tallies(platform)

    return service_app(TallySettings(), title="Tally", build=build, routers=[], subscriptions=subscriptions)
