"""R16: mixed traffic with faults for minutes on end: nothing promised is lost, and no service grows.

Alone, by `make soak SOAK=20` (minutes; 5 unless said).
"""

import asyncio
import os
import statistics
import time
from dataclasses import dataclass, field

import psutil
import pytest

from faults.ledger import Drill
from faults.load import Caller, Load
from faults.people import People
from faults.stage import Stage
from omnify_local.processes import Process

MINUTES = float(os.environ.get("FAULTS_SOAK") or 5)
WARM_UP = 0.4  # share of the time that is not judged
MOST = 1.0  # percent per minute
NOISE = {"memory": 2 * 1024 * 1024, "files": 4}  # bytes and open files in all: connections come and go
SAMPLE_EVERY = 2.0  # seconds
FAULT_EVERY = 30.0  # seconds
RATE = 10.0  # requests per second


@dataclass
class Growth:
    """Resident bytes and open files of the services' processes over time; none of them is restarted."""

    stage: Stage
    started: float = field(default_factory=time.monotonic)
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    async def watch(self) -> None:
        """Samples until it is cancelled."""
        processes = {
            name: psutil.Process(service.process.pid)
            for name, service in self.stage.platform.services.items()
            if service.process
        }
        while True:
            at = (time.monotonic() - self.started) / 60
            for name, process in processes.items():
                self.samples.setdefault(f"{name} memory", []).append((at, process.memory_info().rss))
                self.samples.setdefault(f"{name} files", []).append((at, process.num_fds()))
            await asyncio.sleep(SAMPLE_EVERY)

    def per_minute(self) -> dict[str, float]:
        """By how many percent a minute each grew after the warm-up: the last third's median against the first's."""
        return {
            name: _slope([pair for pair in pairs if pair[0] > MINUTES * WARM_UP], NOISE[name.split()[1]])
            for name, pairs in self.samples.items()
        }


def _slope(pairs: list[tuple[float, float]], noise: float) -> float:
    third = len(pairs) // 3
    first, last = pairs[:third], pairs[-third:]
    before, after = (statistics.median(value for _, value in part) for part in (first, last))
    minutes = statistics.median(at for at, _ in last) - statistics.median(at for at, _ in first)
    return 0.0 if abs(after - before) <= noise else 100 * (after - before) / before / minutes


async def faults_by_chance(drill: Drill, stage: Stage, ended: float) -> int:
    """A sidecar, the store or the broker goes away for a moment, again and again, until the time is over."""
    done = 0
    while time.monotonic() + FAULT_EVERY < ended:
        await asyncio.sleep(FAULT_EVERY / 2)
        await drill.random.choice((sidecar_killed, store_frozen, broker_frozen))(drill, stage)
        since = time.monotonic()
        await stage.mended()
        drill.ledger.recovered(time.monotonic() - since)
        done += 1
        await asyncio.sleep(FAULT_EVERY / 2)
    await asyncio.sleep(max(0.0, ended - time.monotonic()))
    return done


async def sidecar_killed(drill: Drill, stage: Stage) -> None:
    sidecar = stage.platform.services[drill.random.choice(sorted(stage.platform.services))].sidecar
    sidecar.kill()
    await asyncio.to_thread(sidecar.start)


async def store_frozen(_: Drill, stage: Stage) -> None:
    await frozen(stage.store.process if stage.store else None)


async def broker_frozen(_: Drill, stage: Stage) -> None:
    await frozen(stage.broker.process)


async def frozen(process: Process | None, seconds: float = 3) -> None:
    if process is not None:
        process.suspend()
        await asyncio.sleep(seconds)
        process.resume()


@pytest.mark.drill("R16", "minutes of mixed traffic with faults", short=False, alone=True)
@pytest.mark.timeout(MINUTES * 60 + 400)
async def test_nothing_is_lost_and_nobody_grows(drill: Drill, stage: Stage) -> None:
    async with Caller(stage.platform.url) as caller:
        people = People(caller, drill.ledger, drill.random)
        await people.admit(stage.platform.inbox, 4)
        growth = Growth(stage)
        watching = asyncio.create_task(growth.watch())
        async with Load(RATE, lambda number: live(people, number)):
            faults = await faults_by_chance(drill, stage, time.monotonic() + MINUTES * 60)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await settle_mails(drill, stage)
        answers = caller.answers
    grown = growth.per_minute()
    for name, percent in grown.items():
        drill.ledger.check(percent < MOST, f"{name} grows by {percent:.2f} % a minute")
    drill.ledger.check(not answers.improper, f"not a problem document: {answers.improper[:3]}")
    worst = max(grown, key=lambda name: grown[name])
    drill.ledger.note(minutes=MINUTES, faults=faults, worst=f"{worst} {grown[worst]:+.2f} %/min")
    drill.ledger.note(answers=answers.summary())
    drill.settle()


async def live(people: People, number: int) -> None:
    """One thing that somebody does: mostly look, sometimes sign in, refresh and out, now and then sign up."""
    if number % 20 == 0:
        await people.register(people.newcomer())
        return
    session = await people.log_in(people.random.choice(people.known)) if number % 5 == 0 else None
    if session is None:
        await people.caller.ask("look", "GET", people.random.choice(("/api/auth/me", "/api/analytics/imports")))
        return
    await people.caller.ask("imports", "GET", "/api/analytics/imports", session.access)
    session = await people.exchange(session) or session
    await people.log_out(session)


async def settle_mails(drill: Drill, stage: Stage, seconds: float = 90) -> None:
    """Every promised mail, once."""
    wanted = {name.removeprefix("mail to ") for name in drill.ledger.lost}
    deadline = time.monotonic() + seconds
    while not wanted <= set(counts := await asyncio.to_thread(stage.platform.inbox.recipients)):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(1)
    for address in wanted & set(counts):
        drill.ledger.find(f"mail to {address}", counts[address])
