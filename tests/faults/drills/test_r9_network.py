"""R9: a slow, lossy, silent or absent network between the sidecar and the store: every call ends within its bound."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from faults.drills.conftest import Wire
from faults.ledger import Drill
from faults.load import Answers, Caller, Load
from faults.people import People, Person
from faults.stage import Stage
from omnify_local.servers.toxiproxy import Proxy
from omnify_shared.dapr.client import CALL_TIMEOUT
from omnify_shared.dapr.errors import SidecarError, SidecarUnavailable

pytestmark = pytest.mark.timeout(400)
BOUND = CALL_TIMEOUT + 2  # seconds: a call's deadline, and what a busy machine adds
REQUEST_BOUND = 65  # seconds: the gateway's deadline and the same
OK, REFUSED, OTHER = 200, 503, 500

TOXICS: dict[str, Callable[[Proxy], None]] = {
    "200 ms late": lambda proxy: proxy.add("latency", latency=200, jitter=20),
    "resets": lambda proxy: proxy.add("reset_peer", toxicity=0.3, timeout=200),
    "silent": lambda proxy: proxy.add("timeout", timeout=0),
    "narrow": lambda proxy: proxy.add("bandwidth", rate=20),
    "down": lambda proxy: proxy.cut(),
}


async def timed(answers: Answers, what: str, work: Awaitable[object]) -> int:
    """Enters how a call ended and how long that took."""
    started = time.monotonic()
    try:
        await work
        status = OK
    except SidecarUnavailable:
        status = REFUSED
    except SidecarError:
        status = OTHER
    answers.enter(what, status, time.monotonic() - started)
    return status


async def load(drill: Drill, wire: Wire, answers: Answers, what: str) -> None:
    """Reads and writes side by side while the network is bad; writes that were promised are in the books."""

    async def write(number: int) -> None:
        name = f"r9/{drill.seed}/{what}/{number}"
        if await timed(answers, what, wire.app.state.put(name, b"1")) == OK:
            drill.ledger.acknowledge(name)
        await timed(answers, what, wire.app.state.get(name))

    async with asyncio.timeout(4 * BOUND), Load(10, write):
        await asyncio.sleep(drill.pick(1, 8))


@pytest.mark.drill("R9", "bad network between sidecar and store, calls")
async def test_every_call_ends_within_its_bound(drill: Drill, wire: Wire) -> None:
    drill.ledger.recovery_limit = 10
    for what in drill.pick(("200 ms late", "resets", "silent"), tuple(TOXICS)):
        answers = Answers()
        await asyncio.to_thread(TOXICS[what], wire.proxy)
        try:
            await load(drill, wire, answers, what)
        finally:
            await asyncio.to_thread(wire.proxy.heal)
        healed = time.monotonic()
        async with asyncio.timeout(60):
            while await timed(Answers(), what, wire.app.state.get("any")) != OK:
                await asyncio.sleep(0.1)
        drill.ledger.recovered(time.monotonic() - healed)
        drill.ledger.note(**{what: f"{answers.summary().removeprefix(what).strip()}, p99 {answers.p99():.1f} s"})
        drill.ledger.check(answers.slowest() < BOUND, f"{what}: a call took {answers.slowest():.1f} s")
        drill.ledger.check(not answers.of(OTHER), f"{what}: not told as something that may be tried again")
        if what in {"silent", "down"}:
            drill.ledger.check(answers.of(REFUSED), f"{what}: every call was answered; the drill shows nothing")
    await audit(drill, wire)
    drill.settle()


async def audit(drill: Drill, wire: Wire) -> None:
    names = drill.ledger.promises("r9/")
    there = await wire.app.state.get_many(f"r9/{name}" for name in names)
    for name in there:
        drill.ledger.find(name)
    for name in names:
        if f"r9/{name}" not in there:
            drill.ledger.wrong_ok(f"r9/{name}")


@pytest.mark.drill("R9", "bad network between platform and store, sign-in", short=False)
@pytest.mark.parametrize("what", list(TOXICS))
async def test_every_answer_comes_within_its_bound(drill: Drill, stage: Stage, what: str) -> None:
    proxy = stage.proxies.get("mongodb-url")
    if proxy is None:
        pytest.skip("the store of this set is a file")
    drill.title = f"network {what} between platform and store, sign-in"
    await stage.mended()
    async with Caller(stage.platform.url) as caller:
        people = People(caller, drill.ledger, drill.random)
        for person in await people.admit(stage.platform.inbox, 2):
            drill.ledger.find(f"mail to {person.email}")
        sessions: list[Person] = []

        async def log_in(number: int) -> None:
            if session := await people.log_in(people.known[number % 2]):
                drill.ledger.acknowledge(f"session {len(sessions)}")
                sessions.append(session)

        await asyncio.to_thread(TOXICS[what], proxy)
        try:
            async with Load(6, log_in):
                await asyncio.sleep(20)
        finally:
            await asyncio.to_thread(proxy.heal)
        healed = time.monotonic()
        async with asyncio.timeout(90):
            while await people.log_in(people.known[0]) is None:
                await asyncio.sleep(0.2)
        drill.ledger.recovered(time.monotonic() - healed)
        for number, session in enumerate(sessions):
            if await people.exchange(session):
                drill.ledger.find(f"session {number}")
        judge(drill, caller.answers)
    drill.settle()


def judge(drill: Drill, answers: Answers) -> None:
    drill.ledger.note(answers=answers.summary(), p99=f"{answers.p99():.1f} s")
    drill.ledger.check(not answers.improper, f"not a problem document: {answers.improper[:3]}")
    drill.ledger.check(answers.slowest() < REQUEST_BOUND, f"an answer took {answers.slowest():.0f} s")
    drill.ledger.check(set(answers.statuses["login"]) <= {200, 503, 504}, "logins fail closed with 503 or 504")
