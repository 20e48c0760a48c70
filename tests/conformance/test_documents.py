"""Guarantees of the state documents, the same on every component set."""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from omnify_shared.dapr.errors import AlreadyExists, Contended, Missing, Stale
from omnify_shared.documents import Claims, Documents, Emit
from omnify_shared.ids import new_id
from omnify_shared.indexes import Entry, Index
from omnify_shared.platform import Platform
from omnify_shared.problems import BadRequest
from omnify_shared.state import Change

HOSTILE = ["$abc", "$5.00", "$$NOW", '{"$concat": ["a", "b"]}', "||", "ünï ☃ 😀", "\u0000", "", "9007199254740993"]


class Counter(BaseModel):
    name: str
    count: int


def incremented(counter: Counter, _: Emit) -> Counter:
    return counter.model_copy(update={"count": counter.count + 1})


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.guarantee("byte-equal values")
async def test_values_come_back_byte_equal(probe: Platform, text: str) -> None:
    documents = Documents(probe.state, "counter", Counter)
    key = new_id()
    await documents.create(key, value=Counter(name=text, count=2**62))
    assert await documents.get(key) == Counter(name=text, count=2**62)


@pytest.mark.parametrize("document", [{"$concat": ["a", "b"]}, {"price": "$5.00"}, {"b": 1, "a": 2}])
@pytest.mark.guarantee("byte-equal values")
async def test_structures_that_look_like_expressions_stay_data(probe: Platform, document: dict[str, Any]) -> None:
    class Holder(BaseModel):
        held: dict[str, Any]

    documents, key = Documents(probe.state, "holder", Holder), new_id()
    await documents.create(key, value=Holder(held=document))
    found = await documents.get(key)
    assert found is not None
    assert list(found.held.items()) == list(document.items())


@pytest.mark.guarantee("one winner")
async def test_of_many_creators_exactly_one_wins(probe: Platform) -> None:
    documents = Documents(probe.state, "counter", Counter)
    for _ in range(5):
        key = new_id()
        results = await asyncio.gather(
            *(documents.create(key, value=Counter(name=str(n), count=n)) for n in range(32)), return_exceptions=True
        )
        winners = [result for result in results if not isinstance(result, BaseException)]
        assert len(winners) == 1
        assert {type(result) for result in results if isinstance(result, BaseException)} == {AlreadyExists}
        assert await documents.get(key) == winners[0].value


@pytest.mark.guarantee("no lost update")
async def test_no_update_is_lost(probe: Platform) -> None:
    documents, key = Documents(probe.state, "counter", Counter), new_id()
    await documents.create(key, value=Counter(name="n", count=0))
    done = 0
    while done < 24:
        results = await asyncio.gather(
            *(documents.update(key, change=incremented) for _ in range(6)), return_exceptions=True
        )
        assert {type(result) for result in results if isinstance(result, BaseException)} <= {Contended}
        done += sum(not isinstance(result, BaseException) for result in results)
    stored = await documents.load(key)
    assert stored is not None
    assert (stored.value.count, stored.version) == (done, done + 1)


@pytest.mark.guarantee("no lost update")
async def test_updating_nothing_is_missing_and_creates_nothing(probe: Platform) -> None:
    documents, key = Documents(probe.state, "counter", Counter), new_id()
    with pytest.raises(Missing):
        await documents.update(key, change=incremented)
    assert await documents.get(key) is None


@pytest.mark.guarantee("no lost update")
async def test_a_refusing_change_writes_nothing(probe: Platform) -> None:
    documents, key = Documents(probe.state, "counter", Counter), new_id()
    await documents.create(key, value=Counter(name="n", count=1))

    def refuse(_: Counter, __: Emit) -> Counter:
        raise BadRequest("no")

    with pytest.raises(BadRequest):
        await documents.update(key, change=refuse)
    stored = await documents.load(key)
    assert stored is not None
    assert stored.version == 1


@pytest.mark.guarantee("one winner")
async def test_an_old_etag_is_refused(probe: Platform) -> None:
    key = new_id()
    await probe.state.put(key, b'{"n":1}', create=True)
    first = await probe.state.get(key)
    assert first is not None
    await probe.state.put(key, b'{"n":2}', etag=first.etag)
    with pytest.raises(Stale):
        await probe.state.put(key, b'{"n":3}', etag=first.etag)
    with pytest.raises(Stale):
        await probe.state.delete(key, etag=first.etag)
    found = await probe.state.get(key)
    assert found is not None
    assert found.data == b'{"n":2}'


@pytest.mark.guarantee("byte-equal values")
async def test_bulk_get_returns_what_exists(probe: Platform) -> None:
    documents = Documents(probe.state, "counter", Counter)
    keys = [(new_id(),) for _ in range(250)]
    await asyncio.gather(*(documents.create(*key, value=Counter(name=key[0], count=0)) for key in keys[::2]))
    found = await documents.get_many(keys)
    assert {key: value.name for key, value in found.items()} == {key: key[0] for key in keys[::2]}


@pytest.mark.guarantee("time to live")
async def test_a_document_expires(probe: Platform) -> None:
    documents, key = Documents(probe.state, "counter", Counter), new_id()
    await documents.create(key, value=Counter(name="n", count=0), ttl=timedelta(seconds=5))
    await documents.update(key, change=incremented)
    assert await documents.get(key) is not None
    await asyncio.sleep(5.2)
    assert await documents.get(key) is None
    assert await documents.get_many([(key,)]) == {}
    with pytest.raises(Missing):
        await documents.update(key, change=incremented)
    await documents.create(key, value=Counter(name="second life", count=7))
    assert await documents.get(key) == Counter(name="second life", count=7)


@pytest.mark.guarantee("stays deleted")
async def test_no_late_write_brings_a_deleted_document_back(probe: Platform) -> None:
    """Neither a change that was decided before, nor published events that are cleared."""
    kept, key = Documents(probe.state, "counter", Counter), new_id()
    await kept.create(key, value=Counter(name="n", count=0))
    before = await probe.state.get(f"counter/{key}")
    assert before is not None
    await kept.delete(key)
    with pytest.raises(Stale):
        await probe.state.put(f"counter/{key}", before.data, etag=before.etag)
    await probe.state.swap_many([Change(f"counter/{key}", before.data, before.etag, None)] * 2)
    assert await kept.get(key) is None
    assert await kept.get_many([(key,)]) == {}
    with pytest.raises(Missing):
        await kept.update(key, change=incremented)


@pytest.mark.guarantee("stays deleted")
async def test_what_is_made_anew_after_a_deletion_stays(probe: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnify_shared.documents.GONE_FOR", timedelta(seconds=2))
    kept, keys = Documents(probe.state, "counter", Counter), [(new_id(),) for _ in range(3)]
    for key in keys:
        await kept.create(*key, value=Counter(name="first", count=0))
        await kept.delete(*key)
    fresh = Counter(name="second", count=7)
    await kept.create(*keys[0], value=fresh)
    await kept.upsert(*keys[1], initial=lambda: fresh, change=lambda found, _: found)
    with pytest.raises(AlreadyExists):
        await kept.create(*keys[0], value=fresh)
    await asyncio.sleep(4)
    assert await kept.get_many(keys) == dict.fromkeys(keys[:2], fresh)


@pytest.mark.guarantee("claims")
async def test_of_many_who_take_an_expired_name_exactly_one_wins(probe: Platform) -> None:
    claims, name = Claims(probe.state, "email"), new_id()
    assert await claims.claim(name, "first", ttl=timedelta(seconds=3))
    assert not await claims.claim(name, "second")
    await asyncio.sleep(3.2)
    assert await claims.owner_of(name) is None
    assert sum(await asyncio.gather(*(claims.claim(name, f"user-{n}") for n in range(16)))) == 1


@pytest.mark.guarantee("schema upgrade")
async def test_an_older_schema_is_upgraded(probe: Platform) -> None:
    class Old(BaseModel):
        full: str

    class New(BaseModel):
        schema_version: ClassVar[int] = 2
        first: str
        last: str

        @classmethod
        def upgrade(cls, data: dict[str, Any], from_version: int) -> dict[str, Any]:
            assert from_version == 1
            first, _, last = data["full"].partition(" ")
            return {"first": first, "last": last}

    key = new_id()
    await Documents(probe.state, "person", Old).create(key, value=Old(full="Ada Lovelace"))
    documents = Documents(probe.state, "person", New)
    assert await documents.get(key) == New(first="Ada", last="Lovelace")
    await documents.update(key, change=lambda person, _: person.model_copy(update={"first": "A."}))
    assert await documents.get(key) == New(first="A.", last="Lovelace")


@pytest.mark.parametrize("parts", [("a||b",), ("",), ("x" * 600,)])
async def test_unusable_keys_are_refused_before_the_store(probe: Platform, parts: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not a usable key"):
        await Documents(probe.state, "counter", Counter).get(*parts)


@pytest.mark.guarantee("claims")
async def test_a_name_has_one_owner(probe: Platform) -> None:
    claims, name = Claims(probe.state, "email"), new_id()
    won = await asyncio.gather(*(claims.claim(name, f"user-{n}") for n in range(32)))
    assert sum(won) == 1
    owner = f"user-{won.index(True)}"
    assert await claims.owner_of(name) == owner
    assert await claims.claim(name, owner), "a claim by its owner can be repeated"
    assert not await claims.release(name, "somebody else")
    assert await claims.release(name, owner)
    assert await claims.claim(name, "next")


@pytest.mark.guarantee("paged indexes")
async def test_an_index_lists_every_entry_once_newest_first(probe: Platform) -> None:
    index, scope = Index(probe.state, "things", page_size=7), new_id()
    added = []
    for number in range(23):
        added.append(str(number))
        await index.add(scope, str(number), square=number * number)
    listed: list[str] = []
    cursor = None
    while True:
        page = await index.list(scope, cursor=cursor, limit=5)
        listed += [entry.id for entry in page.items]
        assert all(entry.summary == {"square": int(entry.id) ** 2} for entry in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert listed == added[::-1]


@pytest.mark.guarantee("paged indexes")
async def test_writers_that_remember_where_they_were_share_an_index_that_others_erase(probe: Platform) -> None:
    writers, scope = [Index(probe.state, "things", page_size=3) for _ in range(2)], new_id()
    for number in range(10):
        await writers[number in {2, 9}].add(scope, str(number))
    page = await writers[0].list(scope, limit=100)
    assert [entry.id for entry in page.items] == [str(number) for number in reversed(range(10))]

    async def drop(_: Entry) -> None:
        return

    while await writers[0].erase(scope, drop):
        pass
    for writer in writers:
        await writer.add(scope, "anew")
    assert [entry.id for entry in (await writers[0].list(scope)).items] == ["anew"]


@pytest.mark.guarantee("paged indexes")
async def test_an_index_keeps_entries_of_parallel_writers(probe: Platform) -> None:
    index, scope = Index(probe.state, "things", page_size=5), new_id()
    await asyncio.gather(*(index.add(scope, str(number)) for number in range(12)))
    page = await index.list(scope, limit=100)
    assert sorted(int(entry.id) for entry in page.items) == list(range(12))


@pytest.mark.parametrize("cursor", ["x", "-1.0", "1.x", "9" * 40])
async def test_a_foreign_cursor_is_refused(probe: Platform, cursor: str) -> None:
    with pytest.raises(BadRequest):
        await Index(probe.state, "things").list("scope", cursor=cursor)
