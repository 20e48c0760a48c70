"""Checks the records of an order file column by column and turns them into orders.

Imported on first use only: Polars costs 50 MB that an idle service does not need.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import polars as pl

from omnify_analytics.currencies import SCALE
from omnify_analytics.orders.dates import MONTHS, date_pattern
from omnify_analytics.orders.head import column_indexes
from omnify_analytics.orders.options import ImportOptions
from omnify_analytics.orders.reader import Record
from omnify_analytics.orders.table import tables

MAX_REJECTIONS: Final = 100
MAX_TEXT: Final = 200  # characters of an id
FIRST_DAY: Final = date(1970, 1, 1)
_PLAIN_AMOUNT: Final = rf"^[0-9]{{1,12}}(?:\.[0-9]{{1,{SCALE}}}0*)?$"
_PLAIN_QUANTITY: Final = r"^[0-9]{1,9}(?:\.0+)?$"
_CURRENCY_SIGN: Final = r"^[-+]?\s*\p{Sc}|\p{Sc}$"


class Rejection(NamedTuple):
    """A line that was not taken, counted from 1 at the top of the file, and why."""

    line: int
    reason: str


class _Check(NamedTuple):
    """Which rows are bad, and what is said of them; after the value of `column` when there is one."""

    bad: pl.Expr
    text: str
    column: str | None = None

    def reason(self, row: dict[str, Any]) -> str:
        return f"{self.column} {_shown(row[f'{self.column}_text'] or '')} {self.text}" if self.column else self.text


@dataclass(frozen=True)
class ParsedOrders:
    """What an order file holds.

    `orders` has a row per order in file order: `customer` and `order` (text, the latter null without order ids), `day`
    (date), `amount` (whole number of 10^-SCALE units), `quantity` (whole number, null when not mapped).
    `rejections` are the first MAX_REJECTIONS by line; `rejected` counts all.
    """

    orders: pl.DataFrame
    read: int
    rejected: int
    rejections: list[Rejection]

    @property
    def accepted(self) -> int:
        """Rows taken; several may belong to one order."""
        return self.read - self.rejected


def parse_orders(
    blocks: Iterable[bytes],
    options: ImportOptions,
    *,
    latest: date,
    progress: Callable[[int], None] = lambda rows: None,
) -> ParsedOrders:
    """Reads a whole file, given as consecutive blocks of bytes.

    Orders after `latest` are rejected as lying in the future. `progress` is told the rows read so far. Raises
    UnreadableFile when the header lacks a mapped column.
    """
    checker = _Checker(options, latest)
    for table in tables(blocks, options.delimiter):
        checker.add(table)
        progress(checker.read)
    return checker.result()


class _Checker:
    def __init__(self, options: ImportOptions, latest: date) -> None:
        self._options = options
        self._latest = latest
        self._pattern = date_pattern(options.date_format)
        self._indexes = dict[str, int]()
        self._width: int | None = None
        self._frames: list[pl.DataFrame] = []
        self._rejections: list[Rejection] = []
        self._rejected = 0
        self.read = 0

    def add(self, table: pl.DataFrame) -> None:
        """Checks the next records of the file."""
        if self._width is None and len(table):
            table = self._begin(table)
        self.read += len(table)
        counted = pl.col("fields").list.len() == self._width
        self._reject_records(table.filter(counted.not_() | pl.col("broken").is_not_null()))
        values = self._with_values(self._texts(table.filter(counted & pl.col("broken").is_null())))
        checks = self._checks()
        code = pl.coalesce(*(pl.when(check.bad).then(pl.lit(number)) for number, check in enumerate(checks)))
        values = values.with_columns(code.alias("code"))
        self._reject_values(values.filter(pl.col("code").is_not_null()), checks)
        self._frames.append(values.filter(pl.col("code").is_null()).select("line", *_ORDER_COLUMNS))

    def _begin(self, table: pl.DataFrame) -> pl.DataFrame:
        """Learns the columns and how many fields a record has: as many as the header, else as most of the first."""
        if self._options.has_header:
            line, fields, broken = table.row(0)
            self._indexes = column_indexes(Record(line, fields or [], broken), self._options)
            self._width = len(fields)
            return table.slice(1)
        self._indexes = column_indexes(None, self._options)
        widths = table.head(1000)["fields"].list.len().value_counts().sort("count", "fields", descending=True)
        self._width = max(int(widths["fields"][0] or 0), max(self._indexes.values()) + 1)
        return table

    def _reject(self, rejections: list[Rejection], count: int) -> None:
        self._rejected += count
        self._rejections = sorted(self._rejections + rejections)[:MAX_REJECTIONS]

    def _reject_records(self, bad: pl.DataFrame) -> None:
        reasons = [
            Rejection(line, broken or f"has {len(fields)} fields instead of {self._width}")
            for line, fields, broken in bad.head(MAX_REJECTIONS).iter_rows()
        ]
        self._reject(reasons, len(bad))

    def _reject_values(self, bad: pl.DataFrame, checks: list[_Check]) -> None:
        reasons = [
            Rejection(row["line"], checks[row["code"]].reason(row))
            for row in bad.head(MAX_REJECTIONS).iter_rows(named=True)
        ]
        self._reject(reasons, len(bad))

    def _texts(self, table: pl.DataFrame) -> pl.DataFrame:
        """The mapped cells as text, stripped; null in a column that is not mapped."""
        cells = [
            pl.col("fields").list.get(index).str.strip_chars().alias(f"{name}_text")
            for name, index in self._indexes.items()
        ]
        absent = [name for name in ("order_id", "quantity") if name not in self._indexes]
        return table.select("line", *cells, *(pl.lit(None, pl.String).alias(f"{name}_text") for name in absent))

    def _with_values(self, texts: pl.DataFrame) -> pl.DataFrame:
        days = self._days(texts["ordered_at_text"].unique())
        return texts.join(days, on="ordered_at_text", how="left", maintain_order="left").with_columns(
            pl.col("customer_id_text").alias("customer"),
            pl.col("order_id_text").alias("order"),
            _scaled("amount_text", _PLAIN_AMOUNT).alias("amount"),
            pl.when(pl.col("quantity_text").str.contains(_PLAIN_QUANTITY))
            .then(pl.col("quantity_text").str.extract(r"^([0-9]+)"))
            .cast(pl.Int64)
            .alias("quantity"),
        )

    def _days(self, texts: pl.Series) -> pl.DataFrame:
        """`ordered_at_text` and its `day`, null where it is no date of the format."""
        frame = texts.to_frame()
        groups = frame.select(pl.col("ordered_at_text").str.extract_groups(self._pattern)).to_series().struct.unnest()
        if "short_year" in groups.columns:
            short = pl.col("short_year").cast(pl.Int32)
            groups = groups.with_columns((short + pl.when(short < 69).then(2000).otherwise(1900)).alias("year"))
        if "month_name" in groups.columns:
            numbers = dict(zip(MONTHS, range(1, 13), strict=True))
            name = pl.col("month_name").str.to_lowercase()
            groups = groups.with_columns(
                name.replace_strict(numbers, default=None, return_dtype=pl.Int32).alias("month")
            )
        parts = [pl.col(part).cast(pl.String).str.zfill(width) for part, width in _DATE_PARTS]
        iso = groups.select(pl.concat_str(parts).str.to_date("%Y%m%d", strict=False).alias("day"))
        return pl.concat([frame, iso], how="horizontal")

    def _checks(self) -> list[_Check]:
        """What makes a row unusable, in the order in which it is told."""
        amount, quantity = pl.col("amount_text"), pl.col("quantity_text")
        a_date = f"is not a date as {self._options.date_format}"
        order_ids = pl.lit("order_id" in self._indexes)
        return [
            _Check(_empty("customer"), "customer_id is empty"),
            _Check(_long("customer"), f"customer_id is longer than {MAX_TEXT} characters"),
            _Check(pl.col("day").is_null(), a_date, "ordered_at"),
            _Check(pl.col("day") < FIRST_DAY, f"lies before {FIRST_DAY}", "ordered_at"),
            _Check(pl.col("day") > self._latest, "lies in the future", "ordered_at"),
            _Check(_empty("amount_text"), "amount is empty"),
            _Check(amount.str.contains(r"^-\s*[0-9.]"), "is negative", "amount"),
            _Check(amount.str.contains(_CURRENCY_SIGN), "has a currency sign", "amount"),
            _Check(pl.col("amount").is_null(), _NOT_PLAIN, "amount"),
            _Check(_empty("order") & order_ids, "order_id is empty"),
            _Check(_long("order"), f"order_id is longer than {MAX_TEXT} characters"),
            _Check(pl.col("quantity").is_null() & quantity.is_not_null(), "is not a whole number", "quantity"),
        ]

    def result(self) -> ParsedOrders:
        rows = pl.concat(self._frames) if self._frames else pl.DataFrame(schema={"line": pl.Int64, **_ORDER_SCHEMA})
        if "order_id" in self._indexes:
            rows = self._without_strangers(rows)
            rows = rows.group_by("order", maintain_order=True).agg(
                pl.col("customer", "day").first(),
                pl.col("amount", "quantity").sum(),
            )
        if "quantity" not in self._indexes:
            rows = rows.with_columns(pl.lit(None, pl.Int64).alias("quantity"))
        return ParsedOrders(rows.select(_ORDER_COLUMNS), self.read, self._rejected, self._rejections)

    def _without_strangers(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Leaves out rows of an order that name another customer than its first row."""
        first = pl.col("customer").first().over("order")
        strange = rows.filter(pl.col("customer") != first)
        reason = "its order_id belongs to another customer in an earlier line"
        self._reject([Rejection(line, reason) for line in strange["line"].head(MAX_REJECTIONS)], len(strange))
        return rows.filter(pl.col("customer") == first) if len(strange) else rows


_ORDER_SCHEMA: Final[dict[str, type[pl.DataType]]] = {
    "customer": pl.String, "order": pl.String, "day": pl.Date, "amount": pl.Int64, "quantity": pl.Int64,
}  # fmt: skip
_ORDER_COLUMNS: Final = list(_ORDER_SCHEMA)
_DATE_PARTS: Final = (("year", 4), ("month", 2), ("day", 2))
_NOT_PLAIN: Final = f"is not a plain number such as 1234.50 with at most 12 digits and {SCALE} decimals"


def _scaled(column: str, pattern: str) -> pl.Expr:
    """The decimal text as a whole number of 10^-SCALE units, null where it does not fit `pattern`."""
    text = pl.when(pl.col(column).str.contains(pattern)).then(pl.col(column))
    whole = text.str.extract(r"^([0-9]+)").cast(pl.Int64)
    decimals = text.str.extract(rf"\.([0-9]{{1,{SCALE}}})").fill_null("").str.pad_end(SCALE, "0").cast(pl.Int64)
    return whole * pl.lit(10**SCALE) + decimals


def _empty(column: str) -> pl.Expr:
    return pl.col(column).fill_null("") == ""


def _long(column: str) -> pl.Expr:
    return pl.col(column).str.len_chars() > MAX_TEXT


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
