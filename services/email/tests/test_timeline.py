"""How a delivery stands, whatever the order in which its events are told."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from omnify_email.records import Entry, Happening
from omnify_email.timeline import KEPT, delivery_of, happened

START = datetime(2026, 11, 23, tzinfo=UTC)
WHATS: tuple[Happening, ...] = (
    "processed", "deferred", "blocked", "dropped", "delivered", "bounced", "complained", "opened", "clicked",
    "unsubscribed",
)  # fmt: skip


def entry(number: int, what: Happening) -> Entry:
    return Entry(id=f"e{number}", at=START + timedelta(seconds=number % 7), what=what)


def told(entries: list[Entry]) -> tuple[Entry, ...]:
    timeline: tuple[Entry, ...] = ()
    for one in entries:
        timeline = happened(timeline, one)
    return timeline


@given(st.lists(st.sampled_from(WHATS), max_size=12), st.data())
def test_the_order_and_repetitions_change_nothing(whats: list[Happening], data: st.DataObject) -> None:
    entries = [entry(number, what) for number, what in enumerate(whats)]
    again = data.draw(st.permutations(entries)) + entries
    assert told(list(again)) == told(entries)


def test_a_bounce_after_a_delivery_counts_and_a_late_deferral_does_not() -> None:
    for order in permutations([entry(1, "processed"), entry(2, "delivered"), entry(3, "deferred")]):
        assert delivery_of(told(list(order))) == "delivered"
    for order in permutations([entry(1, "delivered"), entry(2, "bounced"), entry(3, "opened")]):
        assert delivery_of(told(list(order))) == "bounced"


def test_nothing_that_counts_gives_no_standing() -> None:
    assert delivery_of(told([entry(1, "opened"), entry(2, "clicked")])) is None


def test_a_timeline_has_an_end_and_still_takes_what_counts() -> None:
    full = told([entry(number, "opened") for number in range(KEPT + 20)])
    assert len(full) == KEPT
    assert delivery_of(happened(full, entry(999, "complained"))) == "complained"
    assert happened(full, entry(1000, "clicked")) is full
