"""R1: what the store promises over the wire, beneath our documents: the store's design rests on it."""

import asyncio
import time
from datetime import timedelta

import pytest

from conformance.probe import PROBE, running
from faults.ledger import Drill
from omnify_shared.dapr.errors import AlreadyExists, Stale
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


async def expiring(drill: Drill, state: StateStore, key: str) -> None:
    """A time to live is kept by single and by bulk reads."""
    await state.put(f"{key}/ttl", b"1", ttl=timedelta(seconds=2))
    await state.put(f"{key}/stays", b"1")
    drill.ledger.check(await state.get(f"{key}/ttl"), "gone before its time")
    started = time.monotonic()
    deadline = started + 75  # stores sweep once a minute
    while await state.get(f"{key}/ttl") and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    drill.ledger.note(expired_after=f"{time.monotonic() - started:.1f} s of 2")
    drill.ledger.check(await state.get(f"{key}/ttl") is None, "still there after its time")
    drill.ledger.check(set(await state.get_many([f"{key}/ttl", f"{key}/stays"])) == {f"{key}/stays"}, "in a bulk read")


@pytest.mark.drill("R1", "state over the wire: ETags, create once, time to live, aborts")
async def test_the_store_keeps_its_contract(
    drill: Drill, new_home: NewHome, new_sidecar: NewSidecar, set_name: str
) -> None:
    sidecar = await asyncio.to_thread(new_sidecar, new_home(set_name, extra=[PROBE]), "probe")
    async with running(sidecar) as app:
        for number in range(drill.pick(3, ROUNDS)):
            key = f"r1/{drill.random.getrandbits(64):016x}"
            await winners(drill, "create once", app.state, key, None)
            await winners(drill, "one ETag", app.state, key, await app.state.get(key))
            if number == 0:
                await expiring(drill, app.state, key)
            await aborted_transaction(drill, app.state, key)
    drill.settle()
