"""Figures against plain Python over the same orders."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnify_analytics import metrics
from omnify_analytics.currencies import MINOR_UNITS
from omnify_analytics.errors import InvalidRange
from omnify_analytics.metrics import DayOrders, Sales, sales
from omnify_analytics.schemas import CohortGranularity, Granularity

START = date(1997, 12, 20)


class Order(NamedTuple):
    customer: str
    day: date
    amount: int
    order: str | None


ORDER = st.builds(
    Order,
    st.sampled_from(["1", "01", "ü", "d"]),
    st.integers(0, 80).map(lambda days: START + timedelta(days=days)),
    st.integers(0, 10**16),
    st.none() | st.sampled_from(["a", "b", "c", "d", "e"]),
)
FILE = st.lists(ORDER, max_size=10, unique_by=lambda order: order.order or object())
DAYS = st.none() | st.integers(-10, 100).map(lambda days: START + timedelta(days=days))
LABELS: dict[str, Callable[[date], str]] = {
    "day": lambda day: day.isoformat(),
    "week": lambda day: "{}-W{:02}".format(*day.isocalendar()),
    "month": lambda day: day.isoformat()[:7],
}


def facts(files: Iterable[list[Order]]) -> list[DayOrders]:
    found = []
    for orders in files:
        for ids in (True, False):
            for day in sorted({order.day for order in orders}):
                part = [order for order in orders if order.day == day and (order.order is not None) == ids]
                columns = ([order.customer for order in part], [order.amount for order in part])
                found.append(DayOrders(day, *columns, [order.order or "" for order in part] if ids else None))
    return found


def kept(files: Iterable[list[Order]]) -> list[Order]:
    known: dict[object, Order] = {}
    for orders in files:
        for order in orders:
            known[order.order or object()] = order
    return list(known.values())


def first_days(orders: list[Order]) -> dict[str, date]:
    days: dict[str, date] = {}
    for order in orders:
        days[order.customer] = min(order.day, days.get(order.customer, order.day))
    return days


def exact(amount: Fraction, currency: str) -> str:
    value = Decimal(amount.numerator) / Decimal(amount.denominator)
    return str(value.quantize(Decimal(1).scaleb(-MINOR_UNITS[currency]), rounding=ROUND_HALF_UP))


def expected_periods(first: date, last: date, granularity: str) -> list[str]:
    return list(dict.fromkeys(LABELS[granularity](first + timedelta(days=n)) for n in range((last - first).days + 1)))


def of(files: list[list[Order]], currency: str = "USD") -> Sales:
    return sales(facts(files), currency, None)


@settings(max_examples=200, deadline=None)
@given(
    files=st.lists(FILE, min_size=1, max_size=3),
    first=DAYS,
    last=DAYS,
    granularity=st.sampled_from(["day", "week", "month"]),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_overview(
    files: list[list[Order]], first: date | None, last: date | None, granularity: Granularity, currency: str
) -> None:
    if first and last and first > last:
        first, last = last, first
    orders = kept(files)
    days = [order.day for order in orders]
    low = first or min([*days, *([last] if last else [])], default=None)
    high = last or max([*days, *([first] if first else [])], default=None)
    found = metrics.overview(of(files, currency), first, last, granularity)
    inside = [order for order in orders if low and high and low <= order.day <= high]
    new = [customer for customer, day in first_days(orders).items() if low and high and low <= day <= high]
    revenue = Fraction(sum(order.amount for order in inside), 10_000)
    assert found.revenue == exact(revenue, currency)
    assert (found.orders, found.new_customers) == (len(inside), len(new))
    assert found.customers == len({order.customer for order in inside})
    assert found.aov == (exact(revenue / len(inside), currency) if inside else None)
    assert found.repeat_rate == ((len(inside) - len(new)) / len(inside) if inside else None)
    assert [one.period for one in found.series] == (expected_periods(low, high, granularity) if low and high else [])
    for one in found.series:
        part = [order for order in inside if LABELS[granularity](order.day) == one.period]
        assert one.revenue == exact(Fraction(sum(order.amount for order in part), 10_000), currency)
        assert (one.orders, one.customers) == (len(part), len({order.customer for order in part}))
    assert sum(one.new_customers for one in found.series) == found.new_customers


@settings(max_examples=150, deadline=None)
@given(files=st.lists(FILE, min_size=1, max_size=3), granularity=st.sampled_from(["week", "month"]))
def test_cohorts(files: list[list[Order]], granularity: CohortGranularity) -> None:
    orders = kept(files)
    found = metrics.cohorts(of(files), granularity).cohorts
    if not orders:
        assert found == []
        return
    label = LABELS[granularity]
    days = [order.day for order in orders]
    labels = expected_periods(min(days), max(days), granularity)
    members: dict[str, set[str]] = defaultdict(set)
    for customer, day in first_days(orders).items():
        members[label(day)].add(customer)
    assert [one.cohort for one in found] == sorted(members, key=labels.index)
    for one in found:
        assert one.size == len(members[one.cohort])
        active = [
            len({order.customer for order in orders if label(order.day) == period} & members[one.cohort])
            for period in labels[labels.index(one.cohort) :]
        ]
        assert one.retention == [count / one.size for count in active]


def test_without_orders_there_is_nothing_to_divide() -> None:
    found = metrics.overview(sales([], None, None), None, None, "day")
    assert (found.currency, found.revenue, found.aov, found.repeat_rate, found.series) == (None, "0", None, None, [])
    assert metrics.cohorts(sales([], None, None), "month").cohorts == []


def test_a_repeated_order_moves_as_a_whole() -> None:
    before = [Order("1", START, 10_000, "a"), Order("1", START, 50_000, "b")]
    after = [Order("2", START + timedelta(days=40), 20_000, "a")]
    found = metrics.overview(of([before, after]), None, None, "month")
    assert (found.orders, found.revenue, found.new_customers) == (2, "7.00", 2)
    assert [one.orders for one in found.series] == [1, 1]


@pytest.mark.parametrize(
    ("first", "last", "granularity"),
    [
        (date(2020, 1, 2), date(2020, 1, 1), "day"),
        (date(1, 1, 1), date(9999, 12, 31), "month"),
        (date(1970, 1, 1), date(2026, 1, 1), "day"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(first: date, last: date, granularity: Granularity) -> None:
    with pytest.raises(InvalidRange):
        metrics.overview(of([[Order("1", START, 1, None)]]), first, last, granularity)


def test_too_many_cohorts_are_refused() -> None:
    orders = [Order("1", START + timedelta(days=days), 1, None) for days in (0, 365 * 20)]
    with pytest.raises(InvalidRange):
        metrics.cohorts(of([orders]), "week")
