"""A driver that repeats a write after a lost answer takes its own write for somebody else's: seen when R2 cut the
connection of a MongoDB. Here the store does it every time."""

import asyncio
from typing import Any

import pytest

from conformance.probe import PROBE, Thing, ThingHappened, running
from omnify_shared.dapr.errors import AlreadyExists, Stale, StateConflict
from omnify_shared.documents import Documents
from omnify_shared.envelope import pending
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform
from omnify_shared.testing.plugin import NewHome, NewSidecar


def repeat_writes(app: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every conditional write of a thing is done, and then told as a conflict."""
    put = app.state.put

    async def done_and_repeated(key: str, data: bytes, **options: Any) -> None:
        await put(key, data, **options)
        if key.startswith("thing/"):
            raise (Stale if options.get("etag") else AlreadyExists)(key)

    monkeypatch.setattr(app.state, "put", done_and_repeated)


async def test_our_own_write_is_no_conflict(
    new_home: NewHome, new_sidecar: NewSidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[str] = []

    async def note(event: dict[str, Any]) -> None:
        published.append(event["data"]["name"])

    async with running(new_sidecar(new_home("local", extra=[PROBE]), "probe"), clean=False) as app:
        things = Documents(app.state, "thing", Thing, outbox=app.outbox)
        monkeypatch.setattr(app.outbox._publisher, "publish_until_taken", note)
        repeat_writes(app, monkeypatch)
        name, other = new_id(), new_id()
        await things.create(name, value=Thing(name="a"), events=[ThingHappened(name="created")])

        def rename(thing: Thing, emit: Any) -> Thing:
            emit(ThingHappened(name="renamed"))
            return Thing(name=f"{thing.name}b")

        assert (await things.update(name, change=rename)).value.name == "ab", "changed once"
        await things.create(other, value=Thing(name="session"), fresh=True)
        assert await things.get(other) == Thing(name="session")
        with pytest.raises(StateConflict):
            await things.create(new_id(), value=Thing(name="anybody's"))
        entry = await app.state.get(f"thing/{name}")
        assert entry is not None
        assert len(pending(entry.data)) == 2
        async with asyncio.timeout(30):
            while published != ["created", "renamed"]:
                await asyncio.sleep(0.02)
