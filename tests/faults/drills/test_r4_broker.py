"""R4: the broker frozen, killed and restarted while people sign up and sign out."""

import asyncio
import time

import pytest

from faults.ledger import Drill
from faults.load import Caller, Load
from faults.people import People, Person
from faults.stage import Stage

pytestmark = pytest.mark.timeout(400)
FULL_ONLY = pytest.mark.drill(short=False)


async def break_broker(drill: Drill, stage: Stage, fault: str) -> None:
    """Does it, and returns when the fault is over."""
    broker = stage.broker
    if fault == "frozen":
        assert broker.process is not None
        broker.process.suspend()
        await asyncio.sleep(drill.pick(3, 30))
        broker.process.resume()
        return
    await asyncio.to_thread(broker.kill if fault == "killed" else broker.stop)
    await asyncio.sleep(5)
    await asyncio.to_thread(broker.start)


async def under_load(drill: Drill, stage: Stage, people: People, fault: str) -> list[Person]:
    """Registrations and logouts before, during and after the fault; returns the sessions whose end was promised."""
    ended: list[Person] = []

    async def register_or_leave(number: int) -> None:
        if number % 2:
            await people.register(people.newcomer())
        elif (session := await people.log_in(drill.random.choice(people.known))) and await people.log_out(session):
            drill.ledger.acknowledge(f"end of {session.access[-12:]}")
            ended.append(session)

    async with Load(drill.pick(3, 4), register_or_leave):
        await asyncio.sleep(drill.pick(1, 5))
        await break_broker(drill, stage, fault)
        healed = time.monotonic()
        await asyncio.sleep(drill.pick(0.5, 3))
    await until_processed(drill, stage, people.caller, ended)
    drill.ledger.recovered(time.monotonic() - healed)
    return ended


async def until_processed(drill: Drill, stage: Stage, caller: Caller, ended: list[Person], seconds: float = 90) -> None:
    """Waits until each sign-up has its mail and analytics refuses each ended session, and enters what it finds."""
    deadline, left = time.monotonic() + seconds, list(ended)
    while True:
        mails = await asyncio.to_thread(stage.platform.inbox.recipients)
        checks = [await caller.ask("ended?", "GET", "/api/analytics/imports", token=one.access) for one in left]
        left = [one for one, answer in zip(left, checks, strict=True) if answer is None or answer.status_code != 401]
        missing = [name for name in drill.ledger.promises("mail to ") if not mails[name]]
        if (not left and not missing) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.3)
    for name in drill.ledger.promises("mail to "):
        drill.ledger.find(f"mail to {name}", mails[name])
    for session in ended:
        drill.ledger.find(f"end of {session.access[-12:]}", int(session not in left))


@pytest.mark.drill("R4", "broker broken while people sign up and out")
@pytest.mark.parametrize(
    "fault", ["frozen", pytest.param("killed", marks=FULL_ONLY), pytest.param("restarted", marks=FULL_ONLY)]
)
async def test_what_was_sent_is_processed(drill: Drill, stage: Stage, fault: str) -> None:
    drill.title = f"broker {fault} while people sign up and out"
    await stage.mended()
    async with Caller(stage.platform.url) as caller:
        people = People(caller, drill.ledger, drill.random)
        await people.admit(stage.platform.inbox, 2)
        await under_load(drill, stage, people, fault)
        answers = caller.answers
        drill.ledger.note(answers=answers.summary(), slowest=f"{answers.slowest():.1f} s")
        drill.ledger.check(not answers.improper, f"not a problem document: {answers.improper[:3]}")
        refused = {what: dict(counts) for what, counts in answers.statuses.items() if max(counts) >= 500}
        drill.ledger.check(not refused, f"the API needs no broker to answer, and yet: {refused}")
    drill.settle()
