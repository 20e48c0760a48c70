"""What became of events can be read on /metrics, on every component set."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from conformance.probe import Consumer, ThingHappened
from conformance.test_events import create, letter_of
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform

TYPE = ThingHappened.event_type


async def samples(consumer: Consumer) -> dict[tuple[str, str], float]:
    """Values by name and outcome, of this event type where there is one."""
    answer = await consumer.call("GET", "/metrics")
    return {
        (sample.name, sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("event_type", TYPE) == TYPE
    }


async def waiting(consumer: Consumer, letters: int) -> dict[tuple[str, str], float]:
    """The samples once that many dead letters wait."""
    async with asyncio.timeout(40):
        while (found := await samples(consumer)).get(("omnify_deadletters_waiting", "")) != letters:
            await asyncio.sleep(0.2)
    return found


async def test_handled_dropped_and_waiting_events_are_counted(probe: Platform, consumer: Consumer) -> None:
    handled = "omnify_events_handled_total"
    before = await samples(consumer)
    assert before[handled, "success"] == before[handled, "drop"] == 0, "shown from the start, so that a rate is one"
    letters = len((await consumer.call("GET", "/dead-letters?limit=200")).json()["items"])
    good, bad = new_id(), new_id()
    await create(probe, good)
    await consumer.notes.wait_for(good)
    consumer.notes.broken.add(bad)
    await create(probe, bad, fail="poison")
    letter = await letter_of(consumer, bad)
    after = await waiting(consumer, letters + 1)
    assert (after[handled, "success"], after[handled, "drop"]) == (1, 1)
    assert after["omnify_events_lag_seconds_count", ""] == 1
    consumer.notes.broken.discard(bad)
    assert (await consumer.call("POST", f"/dead-letters/{letter['id']}/replay")).status_code == 200
    await waiting(consumer, letters)
