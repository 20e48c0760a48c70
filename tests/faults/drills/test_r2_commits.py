"""R2: the connection to the store cut at many points around a commit: never "ok" without the data."""

import asyncio
import time

import pytest
from pydantic import BaseModel

from faults.cuts import cut_for_a_moment
from faults.drills.conftest import Wire
from faults.ledger import Drill
from faults.load import Caller, Load
from faults.people import People, Person
from faults.stage import Stage
from omnify_shared.dapr.errors import SidecarError, StateConflict
from omnify_shared.documents import Documents, Emit
from omnify_shared.problems import Problem
from omnify_shared.state import StateStore

pytestmark = pytest.mark.timeout(400)


class Counter(BaseModel):
    """A document whose version is all that counts."""

    count: int


def one_more(counter: Counter, _: Emit) -> Counter:
    return Counter(count=counter.count + 1)


class Writer:
    """Creates documents and changes one of its own, and enters what it was told."""

    def __init__(self, drill: Drill, state: StateStore, number: int) -> None:
        self._drill, self._state = drill, state
        self._documents = Documents(state, "counter", Counter)
        self.key = f"{drill.random.getrandbits(64):016x}-{number}"
        self.promised = 0
        self.created: list[str] = []
        self.bare: list[str] = []
        self.failed = 0

    async def write_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._try_once()

    async def _try_once(self) -> None:
        name = f"{self.key}/{len(self.created)}.{self.failed}"
        try:
            stored = await self._documents.upsert(self.key, initial=lambda: Counter(count=0), change=one_more)
            self.promised = stored.value.count
            await self._documents.create(name, value=Counter(count=1))
            self.created.append(name)
            await self._state.put_many([(f"bare/{name}/{part}", b"1") for part in range(3)])
            self.bare.append(name)
        except (SidecarError, StateConflict, Problem):
            self.failed += 1
            await asyncio.sleep(0.02)

    async def audit(self) -> None:
        """Reads everything back. Of bare transactions, which promise nothing here, only the figure is noted."""
        ledger = self._drill.ledger
        found = await self._documents.get(self.key)
        for number in range(1, self.promised + 1):
            ledger.acknowledge(f"{self.key}: {number}")
        for number in range(1, (found.count if found else 0) + 1):
            ledger.find(f"{self.key}: {number}")
        if found is None or found.count < self.promised:
            ledger.wrong_ok(f"{self.key}: {self.promised} was promised, {found} is there")
        there = await self._documents.get_many((name,) for name in self.created)
        for name in self.created:
            ledger.acknowledge(name)
            ledger.find(name, int((name,) in there))

    async def lies(self) -> int:
        """How many transactions were answered "done" and left less than all of their keys."""
        keys = {f"bare/{name}/{part}" for name in self.bare for part in range(3)}
        there = await self._state.get_many(keys)
        return len({key.rpartition("/")[0] for key in keys - set(there)})


@pytest.mark.drill("R2", "store connection cut around commits, documents")
async def test_a_document_that_was_promised_is_there(drill: Drill, wire: Wire) -> None:
    writers = [Writer(drill, wire.app.state, number) for number in range(drill.pick(4, 8))]
    stop = asyncio.Event()
    writing = asyncio.gather(*(writer.write_until(stop) for writer in writers))
    for number in range(drill.pick(6, 60)):
        await cut_for_a_moment(wire.proxy, number, drill.random)
        await asyncio.sleep(drill.random.uniform(0.1, 0.5))
    ended = time.monotonic()
    await recovered(wire.app.state)
    drill.ledger.recovered(time.monotonic() - ended)
    stop.set()
    await writing
    for writer in writers:
        await writer.audit()
    lies = sum([await writer.lies() for writer in writers])
    refused = sum(writer.failed for writer in writers)
    drill.ledger.note(refused=refused, bare_transactions_done_and_not_there=lies)
    drill.ledger.check(refused, "no cut hit a write: the drill shows nothing")
    drill.settle()


async def recovered(state: StateStore, seconds: float = 60) -> None:
    """Waits until five writes in a row are taken."""
    good = 0
    async with asyncio.timeout(seconds):
        while good < 5:
            try:
                await state.put("back", b"1")
                good += 1
            except SidecarError:
                good = 0
                await asyncio.sleep(0.05)


@pytest.mark.drill("R2", "store connection cut around commits, sign-up and sign-in", short=False)
async def test_what_auth_promised_is_there(drill: Drill, stage: Stage) -> None:
    proxy = stage.proxies.get("mongodb-url")
    if proxy is None:
        pytest.skip("the store of this set is a file")
    await stage.mended()
    async with Caller(stage.platform.url) as caller:
        people = People(caller, drill.ledger, drill.random)
        await people.admit(stage.platform.inbox, 3)
        sessions: list[Person] = []

        async def act(number: int) -> None:
            if number % 3 == 0:
                await people.register(people.newcomer())
            elif (session := await people.log_in(drill.random.choice(people.known))) is not None:
                # An exchange without an answer may or may not have been made: nothing is promised any more.
                if number % 2 and (exchanged := await people.exchange(session)):
                    sessions.append(exchanged)
                elif not number % 2:
                    sessions.append(session)

        async with Load(6, act):
            for number in range(40):
                await cut_for_a_moment(proxy, number, drill.random)
                await asyncio.sleep(drill.random.uniform(0.3, 1))
            ended = time.monotonic()
        await stage.mended()
        await audit(drill, stage, people, sessions, ended)
    drill.settle()


async def audit(drill: Drill, stage: Stage, people: People, sessions: list[Person], ended: float) -> None:
    """Each promised session goes on, and each promised sign-up has its mail, once."""
    ledger = drill.ledger
    for number, session in enumerate(sessions):
        ledger.acknowledge(f"session {number}")
        going_on = await people.exchange(session)
        ledger.find(f"session {number}", int(going_on is not None))
        if going_on is None:
            ledger.wrong_ok(f"session {number} is not there")
    names = ledger.promises("mail to ")
    deadline = time.monotonic() + 60
    while True:
        mails = await asyncio.to_thread(stage.platform.inbox.recipients)
        if all(mails[name] for name in names) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.3)
    ledger.recovered(time.monotonic() - ended)
    # A sign-up that was tried again after an unknown end brings a further mail, with a Message-ID of its own.
    copies = await asyncio.to_thread(stage.platform.inbox.copies)
    for name in names:
        ledger.find(f"mail to {name}", max(copies.get(name, {"": 0}).values()))
    ledger.note(further_mails=sum(len(copies.get(name, ())) - 1 for name in names))
    answers = people.caller.answers
    ledger.note(answers=answers.summary(), slowest=f"{answers.slowest():.1f} s")
    ledger.check(not answers.improper, f"not a problem document: {answers.improper[:3]}")
