"""What is shown may be a second old, and no older."""

from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from omnify_auth import recent
from omnify_auth.recent import Recent


class Value(BaseModel):
    text: str


class Counted:
    """Stands in for `Documents`: counts its reads."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.reads = 0

    async def get(self, key: str) -> Value | None:
        self.reads += 1
        return Value(text=self.values[key]) if key in self.values else None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(recent, "time", SimpleNamespace(monotonic=lambda: now[0]))  # others run in this event loop
    return now


async def test_a_value_is_read_again_when_its_time_is_over(clock: list[float]) -> None:
    documents = Counted(a="old")
    shown: Recent[Value] = Recent(documents, 1.0)  # type: ignore[arg-type]
    assert await shown.get("a") == Value(text="old")
    documents.values["a"] = "new"
    clock[0] += 0.99
    assert await shown.get("a") == Value(text="old")
    clock[0] += 0.01
    assert await shown.get("a") == Value(text="new")
    assert documents.reads == 2


async def test_what_is_missing_is_not_remembered() -> None:
    documents = Counted()
    shown: Recent[Value] = Recent(documents, 1.0)  # type: ignore[arg-type]
    assert await shown.get("a") is None
    documents.values["a"] = "made"
    assert await shown.get("a") == Value(text="made")


async def test_forgetting_reads_again() -> None:
    documents = Counted(a="old")
    shown: Recent[Value] = Recent(documents, 60)  # type: ignore[arg-type]
    await shown.get("a")
    documents.values["a"] = "new"
    shown.forget("a")
    assert await shown.get("a") == Value(text="new")


async def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "KEPT", 2)
    documents = Counted(a="1", b="2", c="3")
    shown: Recent[Value] = Recent(documents, 60)  # type: ignore[arg-type]
    for key in ("a", "b", "c", "c", "b", "a"):
        await shown.get(key)
    assert documents.reads == 4
