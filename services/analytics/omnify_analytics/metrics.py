"""Sales figures from the orders of one organisation.

Imported on first use only, see `orders.parse`. Orders stand in one order: by day, then by import, then as in the
file. The first order of a customer in that order is the customer's first ever; all others are by a returning customer.
Ratios are ratios of sums; money is summed as whole numbers and rounded once, in the answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

import polars as pl

from omnify_analytics.currencies import SCALE, money, quantised
from omnify_analytics.errors import InvalidRange
from omnify_analytics.schemas import Cohort, CohortGranularity, Cohorts, Granularity, Overview, Period

MAX_PERIODS: Final = 4_000  # of a series
MAX_COHORTS: Final = 520  # periods; the table grows with their square
FRAME_ORDERS: Final = 50_000
_EMPTY: Final = pl.DataFrame(schema={"customer": pl.String, "amount": pl.Int64, "order": pl.String, "day": pl.Date})
_EVERY: Final = {"day": "1d", "week": "1w", "month": "1mo"}
_LABEL: Final = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}


class DayOrders(NamedTuple):
    """The orders of one import on one day. `orders` holds the order ids, None in a file without them."""

    day: date
    customers: list[str]
    amounts: list[int]
    orders: list[str] | None


@dataclass(frozen=True)
class Sales:
    """All orders that count: `customer` (a number), `day`, `amount` (whole number of 10^-SCALE units), `first`."""

    orders: pl.DataFrame
    currency: str | None
    as_of: datetime | None

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last day with an order."""
        return (self.orders["day"][0], self.orders["day"][-1]) if len(self.orders) else None


def sales(facts: Iterable[DayOrders], currency: str | None, as_of: datetime | None) -> Sales:
    """Puts the facts of all imports together. `facts` come in the order in which the imports were taken in.

    An order id that a later import repeats replaces the earlier order as a whole, also when its day changed.
    """
    frame = pl.concat([_EMPTY, *_frames(facts)])
    counted = frame.filter(pl.col("order").is_null() | pl.col("order").is_last_distinct())
    names = counted.select(pl.col("customer").unique()).with_row_index("number")
    ranked = (
        counted.sort("day", maintain_order=True)
        .join(names, on="customer", how="left", maintain_order="left")
        .select(
            pl.col("number").alias("customer"), "day", "amount", pl.col("number").is_first_distinct().alias("first")
        )
    )
    return Sales(ranked, currency, as_of)


def _frames(facts: Iterable[DayOrders]) -> Iterator[pl.DataFrame]:
    """The facts in frames of about FRAME_ORDERS, so that no more than that many stand in Python objects."""
    source = iter(facts)
    while True:
        customers, amounts, orders = list[str](), list[int](), list[str | None]()
        days, counts = list[date](), list[int]()
        while len(customers) < FRAME_ORDERS and (fact := next(source, None)) is not None:
            customers += fact.customers
            amounts += fact.amounts
            orders += fact.orders or [None] * len(fact.customers)
            days.append(fact.day)
            counts.append(len(fact.customers))
        if not days:
            return
        repeated = (
            pl.Series(days, dtype=pl.Date).to_frame("day").select(pl.col("day").repeat_by(pl.Series(counts)).explode())
        )
        columns = {"customer": customers, "amount": amounts, "order": orders, "day": repeated["day"]}
        yield pl.DataFrame(columns, schema=_EMPTY.schema)


def overview(of: Sales, first: date | None, last: date | None, granularity: Granularity) -> Overview:
    """The sales from `first` to `last`; without them, from the first to the last day with an order.

    Raises InvalidRange when the range is empty or has more than MAX_PERIODS periods.
    """
    start, end = _range(of, first, last)
    if start is None or end is None:
        return _overview(of, [], of.orders)
    check_range(start, end, granularity)
    inside = of.orders.filter(pl.col("day").is_between(start, end))
    return _overview(of, _series(inside, start, end, granularity, of.currency), inside)


def _range(of: Sales, first: date | None, last: date | None) -> tuple[date | None, date | None]:
    known = of.days or ()
    lows = [day for day in (*known[:1], last) if day]
    highs = [day for day in (*known[1:], first) if day]
    return first or min(lows, default=None), last or max(highs, default=None)


def check_range(start: date, end: date, granularity: Granularity) -> None:
    """Raises InvalidRange when `start` lies after `end`, or too many periods lie between them."""
    if start > end:
        raise InvalidRange(f"from ({start}) lies after to ({end})")
    if (end - start).days / {"day": 1, "week": 7, "month": 28}[granularity] >= MAX_PERIODS:
        raise InvalidRange(
            f"{start} to {end} has over {MAX_PERIODS} periods of a {granularity}; ask for fewer or coarser"
        )


def _overview(of: Sales, series: list[Period], inside: pl.DataFrame) -> Overview:
    revenue, count = _total(inside), len(inside)
    new = int(inside["first"].sum())
    average = Decimal(revenue).scaleb(-SCALE) / count if count else None
    return Overview(
        currency=of.currency,
        revenue=_money(revenue, of.currency),
        orders=count,
        customers=inside["customer"].n_unique(),
        new_customers=new,
        aov=str(quantised(average, of.currency)) if average is not None and of.currency else None,
        repeat_rate=(count - new) / count if count else None,
        as_of=of.as_of,
        series=series,
    )


def _series(
    inside: pl.DataFrame, start: date, end: date, granularity: Granularity, currency: str | None
) -> list[Period]:
    every, label = _EVERY[granularity], _LABEL[granularity]
    sums = inside.group_by(pl.col("day").dt.truncate(every).alias("period")).agg(
        pl.col("amount").cast(pl.Int128).sum().alias("revenue"),
        pl.len().alias("orders"),
        pl.col("customer").n_unique().alias("customers"),
        pl.col("first").sum().alias("new"),
    )
    spine = pl.select(pl.date_range(pl.lit(start).dt.truncate(every), end, every).alias("period"))
    rows = spine.join(sums, on="period", how="left", maintain_order="left").fill_null(0)
    return [
        Period(
            period=period.strftime(label),
            revenue=_money(revenue, currency),
            orders=orders,
            customers=customers,
            new_customers=new,
        )
        for period, revenue, orders, customers, new in rows.iter_rows()
    ]


def _total(orders: pl.DataFrame) -> int:
    return int(orders["amount"].cast(pl.Int128).sum())


def _money(scaled: int, currency: str | None) -> str:
    return money(scaled, currency) if currency else "0"


def cohorts(of: Sales, granularity: CohortGranularity) -> Cohorts:
    """Retention by the period of the first order. Raises InvalidRange when there are more than MAX_COHORTS periods."""
    if of.days is None:
        return Cohorts(cohorts=[], as_of=of.as_of)
    every, label = _EVERY[granularity], _LABEL[granularity]
    spine = pl.select(pl.date_range(pl.lit(of.days[0]).dt.truncate(every), of.days[1], every).alias("period"))
    if len(spine) > MAX_COHORTS:
        raise InvalidRange(f"the orders span more than {MAX_COHORTS} periods of one {granularity}; ask for months")
    number = spine.with_row_index("number")
    active = (
        of.orders.select("customer", pl.col("day").dt.truncate(every).alias("period"))
        .unique()
        .join(number, on="period")
        .with_columns(pl.col("number").min().over("customer").alias("cohort"))
    )
    counts = active.group_by("cohort", "number").len().iter_rows()
    table = {(cohort, period): count for cohort, period, count in counts}
    labels = [period.strftime(label) for period in spine["period"]]
    sizes = {cohort: size for (cohort, period), size in table.items() if cohort == period}
    return Cohorts(
        cohorts=[
            Cohort(
                cohort=labels[cohort],
                size=size,
                retention=[table.get((cohort, period), 0) / size for period in range(cohort, len(labels))],
            )
            for cohort, size in sorted(sizes.items())
        ],
        as_of=of.as_of,
    )
