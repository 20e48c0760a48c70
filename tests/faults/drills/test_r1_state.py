"""R1: what the store promises over the wire, beneath our documents: the store's design rests on it."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import BaseModel

from conformance.probe import PROBE, running
from faults.ledger import Drill
from omnify_shared.dapr.errors import AlreadyExists, Stale
from omnify_shared.documents import Documents
from omnify_shared.state import Change, Entry, StateStore
from omnify_shared.testing.plugin import NewHome, NewSidecar

ROUNDS, CLIENTS = 20, 16


async def winners(drill: Drill, what: str, state: StateStore, key: str, entry: Entry | None) -> None:
    """Many write at once under one condition; exactly one may be told "ok", and its value has to be there."""

    async def write(number: int) -> bool:
        try:
            await state.put(key, b"%d" % number, etag=entry.etag if entry else None, create=entry is None)
        except (Stale, AlreadyExists):
            return False
        return True

    won = await asyncio.gather(*(write(number) for number in range(CLIENTS)))
    there = await state.get(key)
    for number in [number for number, one in enumerate(won) if one]:
        drill.ledger.acknowledge(f"{what} {key}/{number}")
        drill.ledger.find(f"{what} {key}/{number}", int(there is not None and there.data == b"%d" % number))
    drill.ledger.check(sum(won) == 1, f"{what}: {sum(won)} winners")


async def aborted_transaction(drill: Drill, state: StateStore, key: str) -> None:
    """One stale ETag among many writes: none of them is there."""
    keys = [f"{key}/part/{number}" for number in range(10)]
    for name in keys:
        await state.put(name, b"before")
    found = await state.get_many(keys)
    changes = [Change(name, b"after", found[name].etag, None) for name in keys]
    await state.put(keys[-1], b"before")  # its ETag is another one from here on
    done = await state.swap_many(changes)
    after = sum(entry.data == b"after" for entry in (await state.get_many(keys)).values())
    drill.ledger.check(not done, "a transaction with a stale ETag was answered as done")
    drill.ledger.check(after == 0, f"{after} of {len(keys)} writes of an aborted transaction are there")


class Note(BaseModel):
    """A document with a time to live."""

    text: str


async def expiring(drill: Drill, state: StateStore, key: str) -> None:
    """A document's time to live holds to the second for single and bulk reads, however late the store sweeps."""
    notes = Documents(state, "note", Note)
    await notes.create(key, "ttl", value=Note(text="a"), ttl=timedelta(seconds=3))
    await notes.create(key, "stays", value=Note(text="b"))
    drill.ledger.check(await notes.get(key, "ttl"), "gone before its time")
    await asyncio.sleep(3.2)
    drill.ledger.check(await notes.get(key, "ttl") is None, "still there after its time")
    found = await notes.get_many([(key, "ttl"), (key, "stays")])
    drill.ledger.check(set(found) == {(key, "stays")}, f"a bulk read finds {sorted(found)}")


@pytest.mark.drill("R1", "state over the wire: ETags, create once, time to live, aborts")
async def test_the_store_keeps_its_contract(
    drill: Drill, new_home: NewHome, new_sidecar: NewSidecar, set_name: str
) -> None:
    sidecar = await asyncio.to_thread(new_sidecar, new_home(set_name, extra=[PROBE]), "probe")
    async with running(sidecar) as app:
        for number in range(drill.pick(3, ROUNDS)):
            key = f"r1-{drill.random.getrandbits(64):016x}"
            await winners(drill, "create once", app.state, key, None)
            await winners(drill, "one ETag", app.state, key, await app.state.get(key))
            if number == 0:
                await expiring(drill, app.state, key)
            await aborted_transaction(drill, app.state, key)
    drill.settle()
