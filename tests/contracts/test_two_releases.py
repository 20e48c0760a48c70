"""Two releases side by side on one store: how a document grows, and how it takes a new shape, without losing anything.

The people below are the worked example of docs/decisions/0017: three releases of one document.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict

from omnify_shared.documents import Documents
from omnify_shared.envelope import NewerDocument
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform
from omnify_shared.testing import ExtraApp, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from support.golden import beside


class Person(BaseModel):
    """Release 1."""

    full: str
    visits: int = 0


class PersonReadAhead(BaseModel):
    """Release 2: knows the new shape, and still writes the old one, as replicas of release 1 may be alive."""

    schema_version: ClassVar[int] = 2
    written_as: ClassVar[type[BaseModel]] = Person
    first: str
    last: str
    visits: int = 0

    @classmethod
    def upgrade(cls, data: dict[str, Any], from_version: int) -> dict[str, Any]:
        first, _, last = data["full"].partition(" ")
        return {"first": first, "last": last, "visits": data["visits"]}

    def downgraded(self) -> Person:
        return Person(full=f"{self.first} {self.last}", visits=self.visits)


class PersonWrittenAnew(BaseModel):
    """Release 3: writes the new shape, which every living replica reads; `upgrade` stays for what lies in the store."""

    schema_version: ClassVar[int] = 2
    first: str
    last: str
    visits: int = 0

    @classmethod
    def upgrade(cls, data: dict[str, Any], from_version: int) -> dict[str, Any]:
        return PersonReadAhead.upgrade(data, from_version)


class PersonWithNick(Person):
    """Another release 2: one field more, with a default."""

    nick: str = ""


class Pet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


class Owner(BaseModel):
    pet: Pet


def visited(person: Any, _: Any) -> Any:
    return person.model_copy(update={"visits": person.visits + 1})


@pytest.fixture(scope="module")
async def blocks(backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str) -> AsyncIterator[Platform]:
    home = make_home(backing, tmp_path_factory.mktemp(f"releases-{set_name}") / "home", set_name, [ExtraApp("golden")])
    sidecar = Sidecar(home, "golden")
    try:
        await asyncio.to_thread(sidecar.start)
        async with beside(sidecar) as made:
            yield made
    finally:
        await asyncio.to_thread(sidecar.kill)


def of(blocks: Platform, model: type[Any]) -> Documents[Any]:
    return Documents(blocks.state, "person", model)


async def test_a_new_shape_takes_two_releases(blocks: Platform) -> None:
    first, second, third = (of(blocks, model) for model in (Person, PersonReadAhead, PersonWrittenAnew))
    key = new_id()
    await first.create(key, value=Person(full="Ada Lovelace"))
    assert await second.get(key) == PersonReadAhead(first="Ada", last="Lovelace")
    await second.update(key, change=visited)
    assert await first.get(key) == Person(full="Ada Lovelace", visits=1), "release 1 reads what release 2 writes"
    await first.update(key, change=visited)
    await third.update(key, change=visited)
    assert await second.get(key) == PersonReadAhead(first="Ada", last="Lovelace", visits=3)
    await second.update(key, change=visited)
    assert await third.get(key) == PersonWrittenAnew(first="Ada", last="Lovelace", visits=4)


async def test_a_release_refuses_what_it_does_not_know_and_leaves_it_alone(blocks: Platform) -> None:
    first, third, key = of(blocks, Person), of(blocks, PersonWrittenAnew), new_id()
    await third.create(key, value=PersonWrittenAnew(first="Ada", last="Lovelace"))
    with pytest.raises(NewerDocument, match="Person: written as version 2, read here up to 1"):
        await first.get(key)
    with pytest.raises(NewerDocument):
        await first.upsert(key, initial=lambda: Person(full=""), change=visited)
    assert await third.get(key) == PersonWrittenAnew(first="Ada", last="Lovelace")


async def test_a_field_that_a_release_does_not_know_survives_its_writes(blocks: Platform) -> None:
    old, new, key = of(blocks, Person), of(blocks, PersonWithNick), new_id()
    await new.create(key, value=PersonWithNick(full="Ada Lovelace", nick="$ada"))
    assert await old.get(key) == Person(full="Ada Lovelace")
    await old.update(key, change=visited)
    await old.update(key, change=lambda *_: Person(full="A. Lovelace", visits=7))
    stored = await new.load(key)
    assert stored is not None
    assert (stored.value, stored.version) == (PersonWithNick(full="A. Lovelace", visits=7, nick="$ada"), 3)


async def test_releases_that_write_at_the_same_time_lose_nothing(blocks: Platform) -> None:
    old, new, key = of(blocks, Person), of(blocks, PersonWithNick), new_id()
    await old.create(key, value=Person(full="Ada Lovelace"))

    def named(person: Any, _: Any) -> Any:
        return person.model_copy(update={"nick": person.nick + "x"})

    for _ in range(4):
        await asyncio.gather(old.update(key, change=visited), new.update(key, change=named))
    assert await new.get(key) == PersonWithNick(full="Ada Lovelace", visits=4, nick="xxxx")


async def test_a_strict_part_of_a_document_is_read_leniently(blocks: Platform) -> None:
    key = new_id()
    await blocks.state.put(f"owner/{key}", b'{"v":1,"n":1,"x":null,"d":{"pet":{"name":"Rex","age":3}},"o":[]}')
    assert await Documents(blocks.state, "owner", Owner).get(key) == Owner(pet=Pet(name="Rex"))
