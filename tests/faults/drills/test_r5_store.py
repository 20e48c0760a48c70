"""R5: the store frozen and killed while people sign in."""

import asyncio
import time

import pytest

from faults.ledger import Drill
from faults.load import Caller, Load
from faults.people import People, Person
from faults.stage import Stage
from omnify_local.servers import Server

pytestmark = pytest.mark.timeout(300)
LONGEST = 65  # seconds: the bound of a call, after which any answer is late


async def under_load(drill: Drill, stage: Stage, store: Server, people: People, fault: str) -> list[Person]:
    """Logins run before, during and after the fault; returns the sessions that were acknowledged."""
    sessions: list[Person] = []

    async def log_in(_: int) -> None:
        if session := await people.log_in(drill.random.choice(people.known)):
            sessions.append(session)

    async with Load(drill.pick(4, 8), log_in):
        await asyncio.sleep(drill.pick(1, 5))
        if fault == "frozen":
            assert store.process is not None
            store.process.suspend()
            await asyncio.sleep(drill.pick(6, 30))
            store.process.resume()
        else:
            await asyncio.to_thread(store.kill)
            await asyncio.sleep(drill.pick(1, 10))
            await asyncio.to_thread(store.start)
        ended = time.monotonic()
        await until_it_signs_in(people)
        drill.ledger.recovered(time.monotonic() - ended)
        await asyncio.sleep(drill.pick(0.5, 3))
    return sessions


async def until_it_signs_in(people: People, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while await people.log_in(people.known[0]) is None:
            await asyncio.sleep(0.1)


@pytest.mark.drill("R5", "store frozen or killed while people sign in")
@pytest.mark.parametrize("fault", ["frozen", pytest.param("killed", marks=pytest.mark.drill(short=False))])
async def test_a_session_that_was_promised_is_there(drill: Drill, stage: Stage, fault: str) -> None:
    if stage.store is None:
        pytest.skip("the store of this set is a file")
    drill.title = f"store {fault} while people sign in"
    drill.ledger.recovery_limit = 10
    async with Caller(stage.platform.url) as caller:
        people = People(caller, drill.ledger, drill.random)
        known = await people.admit(stage.platform.inbox, 2)
        for person in known:
            drill.ledger.find(f"mail to {person.email}")
        sessions = await under_load(drill, stage, stage.store, people, fault)
        for number, session in enumerate(sessions):
            drill.ledger.acknowledge(f"session {number}")
            if await people.exchange(session):
                drill.ledger.find(f"session {number}")
            else:
                drill.ledger.wrong_ok(f"session {number} is not there")
        answers = caller.answers
        drill.ledger.note(answers=answers.summary(), slowest=f"{answers.slowest():.1f} s")
        drill.ledger.check(not answers.improper, f"not a problem document: {answers.improper[:3]}")
        drill.ledger.check(answers.slowest() < LONGEST, f"an answer took {answers.slowest():.0f} s")
        drill.ledger.check(set(answers.statuses["login"]) <= {200, 503, 504}, "logins fail closed with 503 or 504")
    drill.settle()
