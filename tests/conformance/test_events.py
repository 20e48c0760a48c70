"""Guarantees of events, the same on every component set: none lost, none handled twice, whatever the order."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2 as httpx
import pytest
from pydantic_core import to_json

from conformance.probe import (
    CONSUMER,
    PROBE,
    Consumer,
    ConsumerSettings,
    Notes,
    Thing,
    ThingHappened,
    consumer_app,
    crash,
    running,
    serving,
    settings_for,
)
from omnify_local.ports import free_port
from omnify_shared import clock
from omnify_shared.documents import Documents, Emit
from omnify_shared.envelope import Wire, pending
from omnify_shared.events import CloudEvent, outbox
from omnify_shared.events.journal import Journal, head_key, read_journal, segment_key
from omnify_shared.events.model import LARGEST
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform
from omnify_shared.problems import PayloadTooLarge
from omnify_shared.testing import Sidecar
from omnify_shared.testing.plugin import NewHome


def things(platform: Platform) -> Documents[Thing]:
    return Documents(platform.state, "thing", Thing, outbox=platform.outbox)


async def create(platform: Platform, name: str, fail: str = "") -> None:
    await things(platform).create(name, value=Thing(name=name), events=[ThingHappened(name=name, fail=fail)])


async def until_cleared(platform: Platform, name: str) -> None:
    async with asyncio.timeout(30):
        while (entry := await platform.state.get(f"thing/{name}")) is None or pending(entry.data):
            await asyncio.sleep(0.05)


@pytest.mark.guarantee("outbox")
async def test_a_committed_event_is_handled_with_its_facts(probe: Platform, consumer: Consumer) -> None:
    name = new_id()
    await create(probe, name)

    def rename(thing: Thing, emit: Any) -> Thing:
        emit(ThingHappened(name=name))
        return thing.model_copy()

    await things(probe).update(name, change=rename)
    events = await consumer.notes.wait_for(name, 2)
    assert {(event.source, event.type, event.subject) for event in events} == {
        ("probe", "omnify.probe.thing.happened.v1", name)
    }
    assert sorted(event.sequence for event in events) == [1, 2]
    assert len({event.id for event in events}) == 2
    await until_cleared(probe, name)
    stored = await things(probe).load(name)
    assert stored is not None
    assert stored.version == 2, "clearing published events is not a change of the aggregate"


@pytest.mark.guarantee("outbox")
async def test_an_event_as_large_as_may_be_arrives_and_a_larger_one_is_refused_with_its_change(
    probe: Platform, consumer: Consumer
) -> None:
    name = new_id()
    await create(probe, name)
    bare = len(to_json(CloudEvent.of(ThingHappened(name=name), source="probe", subject=name, sequence=2).wire()))

    def touch(size: int) -> Callable[[Thing, Emit], Thing]:
        def change(thing: Thing, emit: Emit) -> Thing:
            emit(ThingHappened(name=name, fail="x" * (size - bare)))
            return thing.model_copy()

        return change

    with pytest.raises(PayloadTooLarge, match=f"of {LARGEST + 1} bytes"):
        await things(probe).update(name, change=touch(LARGEST + 1))
    stored = await things(probe).load(name)
    assert stored is not None
    assert stored.version == 1
    await things(probe).update(name, change=touch(LARGEST))
    handled = await consumer.notes.wait_for(name, 2)
    assert {len(event.data.fail) for event in handled} == {0, LARGEST - bare}


@pytest.mark.guarantee("outbox")
@pytest.mark.guarantee("handled once")
async def test_every_event_of_many_aggregates_is_handled_once(probe: Platform, consumer: Consumer) -> None:
    names = [new_id() for _ in range(200)]
    await asyncio.gather(*(create(probe, name) for name in names))
    for name in names:
        await consumer.notes.wait_for(name)
    await asyncio.sleep(0.5)
    assert {name: count for name in names if (count := len(consumer.notes.of(name))) != 1} == {}


@pytest.mark.guarantee("outbox")
@pytest.mark.parametrize("ahead", [False, True], ids=["any id", "an id journalled ahead"])
async def test_a_crash_between_commit_and_publication_loses_nothing(
    probe: Platform, consumer: Consumer, probe_sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    monkeypatch.setattr(outbox, "BEAT", 0.3)
    monkeypatch.setattr(outbox, "DEAD_AFTER", 1.5)
    async with running(probe_sidecar) as survivor:
        async with running(probe_sidecar, clean=False) as victim:

            async def never(_: Wire, **__: Any) -> None:
                await asyncio.sleep(3600)

            monkeypatch.setattr(victim.outbox._publisher, "publish", never)
            name = await things(victim).fresh_id() if ahead else new_id()
            await create(victim, name)
            await crash(victim)
        await consumer.notes.wait_for(name)
        await until_cleared(survivor, name)
    assert len(consumer.notes.of(name)) == 1


@pytest.mark.guarantee("handled once")
async def test_a_crash_between_publication_and_clearing_handles_nothing_twice(
    probe: Platform, consumer: Consumer, probe_sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BEAT", 0.3)
    monkeypatch.setattr(outbox, "DEAD_AFTER", 1.5)
    name = new_id()
    async with running(probe_sidecar) as survivor:
        async with running(probe_sidecar, clean=False) as victim:

            async def never() -> None:
                await asyncio.sleep(3600)

            monkeypatch.setattr(victim.outbox, "_clear_all", never)
            await create(victim, name)
            await consumer.notes.wait_for(name)
            await crash(victim)
        await until_cleared(survivor, name)
    await asyncio.sleep(1)
    assert len(consumer.notes.of(name)) == 1


@pytest.mark.guarantee("outbox")
async def test_a_replica_that_leaves_takes_its_journal_along(
    probe: Platform, consumer: Consumer, probe_sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Along with the ids that it had journalled ahead, and did not use."""
    monkeypatch.setattr(outbox, "BEAT", 0.3)
    async with running(probe_sidecar) as leaver:
        name = await things(leaver).fresh_id()
        await create(leaver, name)
        await consumer.notes.wait_for(name)
        replica = leaver.outbox._journal.replica
        assert await probe.state.get(segment_key(replica, 0)) is not None
    left = [await probe.state.get(key) for key in (head_key(replica), segment_key(replica, 0))]
    replicas = await probe.state.get(outbox.REPLICAS_KEY)
    assert left == [None, None]
    assert replicas is None or replica not in replicas.data.decode()


@pytest.mark.guarantee("outbox")
async def test_a_replica_whose_clock_is_behind_is_not_taken_for_dead(
    probe: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BEAT", 0.3)
    monkeypatch.setattr(outbox, "DEAD_AFTER", 3.0)
    behind = Journal(probe.state, new_id())
    key = f"thing/{new_id()}"
    await behind.reserve(key)

    async def signs_of_life(count: int) -> tuple[float, list[int], set[str]]:
        for _ in range(count):
            head = {"seen": clock.now().timestamp() - 60, "first": 0, "last": 0}
            await probe.state.put(head_key(behind.replica), to_json(head))
            await asyncio.sleep(0.2)
        return await read_journal(probe.state, behind.replica)

    await probe.outbox._change_replicas(add=behind.replica)
    assert (await signs_of_life(30))[2] == {key}
    async with asyncio.timeout(30):
        while await probe.state.get(head_key(behind.replica)):
            await asyncio.sleep(0.2)


@pytest.mark.guarantee("outbox")
async def test_a_replica_that_was_paused_and_taken_for_dead_writes_its_journal_again(
    probe_sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BEAT", 0.3)
    async with asyncio.timeout(40), running(probe_sidecar) as replica:
        journal, key = replica.outbox._journal, f"thing/{new_id()}"
        await replica.outbox.reserve(key)
        await replica.outbox._change_replicas(remove=journal.replica)
        await replica.state.delete(segment_key(journal.replica, 0))
        while key not in (await read_journal(replica.state, journal.replica))[2]:
            await asyncio.sleep(0.1)
        replica.outbox.release(key)


@pytest.mark.guarantee("outbox")
async def test_ids_are_journalled_many_at_once_before_they_are_used(probe: Platform) -> None:
    first = await things(probe).fresh_id()
    _, _, listed = await read_journal(probe.state, probe.outbox._journal.replica)
    others = [await things(probe).fresh_id() for _ in range(outbox.AHEAD - 1)]
    assert {f"thing/{one}" for one in others} <= listed
    assert len({first, *others}) == outbox.AHEAD


@pytest.mark.guarantee("outbox")
async def test_a_stop_ends_with_a_write_whose_end_nobody_knows(
    probe_sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "DRAIN", 0.5)
    async with asyncio.timeout(30), running(probe_sidecar) as replica:
        await replica.outbox.reserve(f"thing/{new_id()}")


@pytest.mark.guarantee("handled once")
async def test_an_event_delivered_again_is_dropped(probe: Platform, consumer: Consumer) -> None:
    name = new_id()
    event = CloudEvent.of(ThingHappened(name=name), source="probe", subject=name, sequence=1).wire()
    for _ in range(5):
        await probe.outbox.publish(event)
    marker = new_id()
    await create(probe, marker)
    await consumer.notes.wait_for(marker)
    await asyncio.sleep(1)
    assert len(consumer.notes.of(name)) == 1


@pytest.mark.guarantee("retry")
async def test_a_passing_failure_is_retried(probe: Platform, consumer: Consumer) -> None:
    name = new_id()
    consumer.notes.broken.add(name)
    await create(probe, name)
    async with asyncio.timeout(30):
        while consumer.notes.tries[name] < 2:
            await asyncio.sleep(0.02)
    consumer.notes.broken.discard(name)
    await consumer.notes.wait_for(name)


@pytest.mark.guarantee("dead letters")
@pytest.mark.guarantee("replay")
async def test_poison_is_kept_with_its_reason_and_replayed(probe: Platform, consumer: Consumer) -> None:
    name = new_id()
    consumer.notes.broken.add(name)
    await create(probe, name, fail="poison")
    letter = await letter_of(consumer, name)
    assert letter["reason"] == "it is marked as poison"
    assert consumer.notes.tries[name] == 1, "poison is not retried"

    refused = await consumer.call("POST", f"/dead-letters/{letter['id']}/replay")
    assert refused.status_code == 409
    assert refused.json()["detail"] == "it is marked as poison"

    consumer.notes.broken.discard(name)
    replayed = await consumer.call("POST", f"/dead-letters/{letter['id']}/replay")
    assert (replayed.status_code, replayed.json()["status"]) == (200, "replayed")
    assert len(consumer.notes.of(name)) == 1
    assert name not in (await consumer.call("GET", "/dead-letters")).text


@pytest.mark.guarantee("dead letters")
async def test_a_lasting_failure_ends_in_the_dead_letters(probe: Platform, consumer: Consumer) -> None:
    name = new_id()
    consumer.notes.broken.add(name)
    await create(probe, name)
    letter = await letter_of(consumer, name, seconds=40)
    assert letter["reason"] == "RuntimeError: broken for now"
    assert letter["attempts"] > 2


@pytest.mark.guarantee("dead letters")
async def test_data_of_the_wrong_shape_is_poison(probe: Platform, consumer: Consumer) -> None:
    name = new_id()
    event = CloudEvent.of(ThingHappened(name=name), source="probe", subject=name, sequence=1).wire()
    await probe.outbox.publish(event | {"data": {"nome": name}})
    letter = await letter_of(consumer, name)
    assert "data.name: Field required" in letter["reason"]


async def letter_of(consumer: Consumer, name: str, seconds: float = 20) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while True:
            answer = await consumer.call("GET", "/dead-letters")
            for letter in answer.json()["items"] if answer.is_success else []:
                if letter["event"]["subject"] == name:
                    found: dict[str, Any] = letter
                    return found
            await asyncio.sleep(0.1)


@pytest.mark.guarantee("time to live")
async def test_clearing_keeps_the_time_to_live(probe: Platform) -> None:
    name = new_id()
    await things(probe).create(
        name, value=Thing(name=name), events=[ThingHappened(name=name)], ttl=timedelta(seconds=8)
    )
    await until_cleared(probe, name)
    assert await things(probe).get(name) is not None
    await asyncio.sleep(9)
    assert await things(probe).get(name) is None


@pytest.mark.guarantee("only the sidecar")
async def test_only_the_sidecar_may_deliver(consumer: Consumer) -> None:
    event = CloudEvent.of(ThingHappened(name="forged"), source="probe", subject="x", sequence=1).wire()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{consumer.sidecar.app_port}") as direct:
        answers = [
            await direct.post("/events/probe-events", json=event),
            await direct.post("/events/probe-events", json=event, headers={"dapr-api-token": "guess"}),
            await direct.get("/dead-letters"),
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert consumer.notes.of("forged") == []


@pytest.mark.guarantee("consumer away")
async def test_a_consumer_that_restarts_with_an_event_in_hand_is_heard_again(
    probe: Platform, probe_sidecar: Sidecar
) -> None:
    port, notes = free_port(), Notes()
    sidecar = Sidecar(probe_sidecar.home, "consumer", app_port=port)
    app = partial(consumer_app, settings_for(sidecar, ConsumerSettings), notes)
    try:
        for restart in range(2):
            async with serving(app(), port):
                if restart == 0:
                    await asyncio.to_thread(sidecar.start)
                    await asyncio.to_thread(sidecar.wait_for_app)
                name = new_id()
                await create(probe, name)
                await notes.wait_for(name, seconds=60)
                await asyncio.sleep(1.5)  # a probe sees the app up
            await create(probe, new_id())
            await asyncio.sleep(2.8)
    finally:
        await asyncio.to_thread(sidecar.terminate)


@pytest.mark.guarantee("order per key")
async def test_the_events_of_an_aggregate_arrive_in_their_order(probe: Platform, consumer: Consumer) -> None:
    names, length = [new_id() for _ in range(4)], 15
    for sequence in range(1, length + 1):
        for name in names:
            event = CloudEvent.of(ThingHappened(name=name), source="probe", subject=name, sequence=sequence)
            await probe.outbox.publish(event.wire())
    for name in names:
        events = await consumer.notes.wait_for(name, length, seconds=60)
        assert [event.sequence for event in events] == list(range(1, length + 1))


@pytest.mark.guarantee("heard from the start")
async def test_an_event_waits_for_a_consumer_that_has_never_run(new_home: NewHome, set_name: str) -> None:
    home, name, notes = new_home(set_name, extra=[PROBE, CONSUMER]), new_id(), Notes()
    publisher, port = Sidecar(home, "probe"), free_port()
    sidecar = Sidecar(home, "consumer", app_port=port)
    try:
        await asyncio.to_thread(publisher.start)
        async with running(publisher) as platform:
            await create(platform, name)
            await until_cleared(platform, name)
        async with serving(consumer_app(settings_for(sidecar, ConsumerSettings), notes), port):
            await asyncio.to_thread(sidecar.start)
            await notes.wait_for(name, seconds=60)
    finally:
        await asyncio.to_thread(publisher.terminate)
        await asyncio.to_thread(sidecar.terminate)
