"""Order files against a plain Python reading of the same rows."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnify_analytics.errors import UnreadableFile
from omnify_analytics.orders.options import ImportOptions
from omnify_analytics.orders.parse import MAX_REJECTIONS, ParsedOrders, parse_orders

LATEST = date(2026, 1, 1)
CELLS = {
    "customer": st.sampled_from(["1", "2", "33", "", "ü", "x" * 200, "x" * 201]),
    "day": st.sampled_from(["1997-01-01", "1997-1-2", "2024-02-30", "1969-12-31", "2026-01-02", "soon", ""]),
    "amount": st.sampled_from(
        ["1", "29.33", "0.00", "12345.6789", "1.23450000", "-5", "$5.00", "1e3", "1,5", "5€", ""]
    ),
    "order": st.sampled_from(["o1", "o2", "o3", "o4", ""]),
}
ROW = st.tuples(CELLS["customer"], CELLS["day"], CELLS["amount"], CELLS["order"])
RAGGED = ROW.map(lambda row: row[:-1]) | ROW.map(lambda row: (*row, "more"))
GOOD = st.tuples(
    st.sampled_from(["1", "2"]), st.just("1997-01-01"), st.sampled_from(["1", "29.33"]), st.sampled_from(["o1", "o2"])
)


class Expected(NamedTuple):
    orders: list[tuple[str, str | None, date, int]]
    rejected: list[int]


def options(**changes: Any) -> ImportOptions:
    columns = {"customer_id": "customer", "ordered_at": "day", "amount": "amount"} | changes.pop("columns", {})
    return ImportOptions.model_validate({"currency": "USD", "columns": columns} | changes)


def parse(content: bytes, chosen: ImportOptions | None = None, block: int = 1000) -> ParsedOrders:
    blocks = [content[start : start + block] for start in range(0, len(content), block)]
    return parse_orders(blocks, chosen or options(), latest=LATEST)


def lines(text: str) -> ParsedOrders:
    return parse(f"customer,day,amount\n{text}".encode())


def oracle(rows: list[tuple[str, ...]], *, order_ids: bool) -> Expected:
    taken: dict[object, tuple[str, str | None, date, int]] = {}
    rejected = []
    for line, row in enumerate(rows, start=2):
        value = _value(row, order_ids)
        key = value[1] if value and order_ids else line
        if value is None or (key in taken and taken[key][0] != value[0]):
            rejected.append(line)
        elif key in taken:
            taken[key] = (*taken[key][:3], taken[key][3] + value[3])
        else:
            taken[key] = value
    return Expected(list(taken.values()), rejected)


def _value(row: tuple[str, ...], order_ids: bool) -> tuple[str, str | None, date, int] | None:
    if len(row) != 4 or not 0 < len(row[0]) <= 200 or (order_ids and not row[3]):
        return None
    try:
        day = datetime.strptime(row[1], "%Y-%m-%d").date()  # noqa: DTZ007 - a calendar day
    except ValueError:
        return None
    if not row[2].replace(".", "", 1).isdecimal() or not date(1970, 1, 1) <= day <= LATEST:
        return None
    scaled = Decimal(row[2]) * 10_000
    return (row[0], row[3] if order_ids else None, day, int(scaled)) if scaled == int(scaled) else None


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(ROW | RAGGED | GOOD | GOOD, max_size=12),
    order_ids=st.booleans(),
    delimiter=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    block=st.integers(5, 500),
)
def test_it_agrees_with_plain_python(
    rows: list[tuple[str, ...]], order_ids: bool, delimiter: str, end: str, quoting: Any, block: int
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([("customer", "day", "amount", "order"), *rows])
    chosen = options(delimiter=delimiter, columns={"order_id": "order"} if order_ids else {})
    found = parse(out.getvalue().encode(), chosen, block)
    expected = oracle(rows, order_ids=order_ids)
    orders = found.orders.select("customer", "order", "day", "amount").rows()
    assert sorted(orders, key=str) == sorted(expected.orders, key=str)
    assert [rejection.line for rejection in found.rejections] == expected.rejected
    assert (found.read, found.rejected) == (len(rows), len(expected.rejected))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,19970101,5", "ordered_at '19970101' is not a date as %Y-%m-%d"),
        ("1,1997-02-30,5", "ordered_at '1997-02-30' is not a date as %Y-%m-%d"),
        ("1,2999-01-01,5", "ordered_at '2999-01-01' lies in the future"),
        ("1,1901-01-01,5", "ordered_at '1901-01-01' lies before 1970-01-01"),
        ("1,1997-01-01,-5", "amount '-5' is negative"),
        ("1,1997-01-01,$5.00", "amount '$5.00' has a currency sign"),
        ("1,1997-01-01,-$5.00", "amount '-$5.00' has a currency sign"),
        ("1,1997-01-01,5 €", "amount '5 €' has a currency sign"),
        ("1,1997-01-01,", "amount is empty"),
        (
            "1,1997-01-01,NaN",
            "amount 'NaN' is not a plain number such as 1234.50 with at most 12 digits and 4 decimals",
        ),
        (",1997-01-01,5", "customer_id is empty"),
        ("1,1997-01-01", "has 2 fields instead of 3"),
        ("1,1997-01-01,5,6", "has 4 fields instead of 3"),
    ],
)
def test_a_bad_row_is_rejected_with_its_line_and_reason(row: str, reason: str) -> None:
    found = lines(f"7,1997-01-01,1.50\n\n{row}\n8,1997-01-02,2\n")
    assert found.rejections == [(4, reason)]
    assert (found.read, found.accepted, found.rejected) == (3, 2, 1)
    assert found.orders["amount"].to_list() == [15_000, 20_000]


def test_rejections_are_counted_in_full_and_listed_up_to_a_limit() -> None:
    found = lines("1,soon,5\n" * 50_000)
    assert (found.read, found.accepted, found.rejected) == (50_000, 0, 50_000)
    assert [rejection.line for rejection in found.rejections] == list(range(2, 2 + MAX_REJECTIONS))


def test_lines_of_one_order_are_summed_and_keep_its_first_day() -> None:
    content = (
        b"customer,day,amount,order\n1,1997-01-01,1.10,a\n2,1997-01-01,5,b\n1,1997-01-03,2.20,a\n9,1997-01-01,1,a\n"
    )
    found = parse(content, options(columns={"order_id": "order"}))
    assert found.orders.select("customer", "order", "day", "amount").rows() == [
        ("1", "a", date(1997, 1, 1), 33_000),
        ("2", "b", date(1997, 1, 1), 50_000),
    ]
    assert found.rejections == [(5, "its order_id belongs to another customer in an earlier line")]


def test_quantities_are_whole_numbers() -> None:
    content = b"customer,day,amount,cds\n1,1997-01-01,1,2\n1,1997-01-01,1,2.0\n1,1997-01-01,1,-1\n1,1997-01-01,1,1.5\n"
    found = parse(content, options(columns={"quantity": "cds"}))
    assert found.orders["quantity"].to_list() == [2, 2]
    assert [reason for _, reason in found.rejections] == [
        f"quantity '{text}' is not a whole number" for text in ("-1", "1.5")
    ]


def test_without_a_header_most_rows_say_how_many_fields_there_are() -> None:
    chosen = options(has_header=False, delimiter="whitespace", columns={"customer_id": 0, "ordered_at": 1, "amount": 2})
    found = parse(b"1 1997-01-01\n 1  1997-01-01\t5 \n2 1997-01-01 6\n", chosen)
    assert found.rejections == [(1, "has 2 fields instead of 3")]
    assert found.orders["amount"].to_list() == [50_000, 60_000]


def test_amounts_add_up_beyond_64_bits() -> None:
    found = lines("1,1997-01-01,999999999999.9999\n" * 3)
    assert found.orders["amount"].to_list() == [9_999_999_999_999_999] * 3


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"customer,when,amount", "the header has no 'day'"),
        (b"customer,day,amount,day", "the header names 'day' twice"),
        (b"\xff,day,amount", "not valid UTF-8"),
    ],
)
def test_a_header_without_a_mapped_column_is_a_problem_of_the_file(header: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match="line 1") as found:
        parse(header + b"\n1,1997-01-01,5\n")
    assert reason in found.value.detail
