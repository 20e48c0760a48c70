"""Gathering reads: fresh, shared under load, and nobody suffers for another's failure."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from omnify_auth.reading import Reader
from omnify_shared.dapr.errors import SidecarUnavailable


class Value(BaseModel):
    text: str


class Slow:
    """Stands in for `Documents`: notes each call, answers after a moment."""

    kind = "value"

    def __init__(self, **values: str) -> None:
        self.values = values
        self.calls: list[tuple[str, ...]] = []
        self.down = False

    async def get(self, key: str) -> Value | None:
        self.calls.append((key,))
        await asyncio.sleep(0.01)
        if self.down:
            raise SidecarUnavailable("down")
        if self.values.get(key) == "broken":
            raise RuntimeError("broken")
        return Value(text=self.values[key]) if key in self.values else None

    async def get_many(self, keys: Any) -> dict[tuple[str, ...], Value]:
        wanted = [key for (key,) in keys]
        self.calls.append(tuple(wanted))
        await asyncio.sleep(0.01)
        if self.down:
            raise SidecarUnavailable("down")
        if any(self.values.get(key) == "broken" for key in wanted):
            raise RuntimeError("broken")
        return {(key,): Value(text=self.values[key]) for key in wanted if key in self.values}


def reader_of(documents: Slow) -> Reader[Value]:
    return Reader(documents)  # type: ignore[arg-type]


async def test_one_reader_reads_at_once_and_the_rest_share_a_read() -> None:
    documents = Slow(a="1", b="2")
    reader = reader_of(documents)
    found = await asyncio.gather(*(reader.get(key) for key in ("a", "b", "a", "none", "b")))
    assert [value and value.text for value in found] == ["1", "2", "1", None, "2"]
    assert documents.calls == [("a",), ("b", "a", "none")]
    assert await reader.get("b") == Value(text="2")


async def test_a_read_asked_for_during_another_sees_what_was_written_before_it_was_asked_for() -> None:
    documents = Slow(a="1")
    reader = reader_of(documents)
    first = asyncio.create_task(reader.get("a"))
    await asyncio.sleep(0.005)
    documents.values["a"] = "2"
    assert await reader.get("a") == Value(text="2")
    await first


async def test_failures_reach_only_their_own_readers() -> None:
    documents = Slow(a="1", b="broken", c="3")
    reader = reader_of(documents)
    found = await asyncio.gather(*(reader.get(key) for key in "abc"), return_exceptions=True)
    assert found[0] == Value(text="1")
    assert isinstance(found[1], RuntimeError)
    assert found[2] == Value(text="3")
    documents.down = True
    found = await asyncio.gather(*(reader.get(key) for key in "abc"), return_exceptions=True)
    assert all(isinstance(error, SidecarUnavailable) for error in found)
    documents.down = False
    assert await reader.get("c") == Value(text="3")


async def test_a_cancelled_reader_leaves_the_others_served() -> None:
    reader = reader_of(Slow(a="1", b="2", c="3"))
    tasks = [asyncio.create_task(reader.get(key)) for key in "abcb"]
    await asyncio.sleep(0.002)
    tasks[0].cancel()
    tasks[1].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[2:] == [Value(text="3"), Value(text="2")]
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
