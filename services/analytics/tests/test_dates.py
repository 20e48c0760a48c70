"""Date formats against the standard library's strptime."""

import re
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnify_analytics.orders.dates import MONTHS, InvalidDateFormat, date_pattern

FORMATS = [
    "%Y-%m-%d",
    "%Y%m%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d %b %Y",
    "%Y-%m-%d %H:%M:%S",
    "%d%m%y",
    "%Y-%m-%dT%H:%M:%S%z",
]


def read(text: str, date_format: str) -> date | None:
    found = re.fullmatch(date_pattern(date_format), text)
    if not found:
        return None
    parts = found.groupdict()
    year = int(parts["year"]) if "year" in parts else _century(int(parts["short_year"]))
    month = int(parts["month"]) if "month" in parts else MONTHS.index(parts["month_name"].lower()) + 1
    try:
        return date(year, month, int(parts["day"]))
    except ValueError:
        return None


def _century(year: int) -> int:
    return year + (2000 if year < 69 else 1900)


@given(moment=st.builds(datetime.combine, st.dates(date(1970, 1, 1), date(2068, 12, 31)), st.times()))
@pytest.mark.parametrize("date_format", FORMATS)
def test_what_strftime_writes_is_read_back(moment: datetime, date_format: str) -> None:
    text = moment.strftime(date_format.replace("%z", "+02:00"))
    assert read(text, date_format) == moment.date()


@given(text=st.from_regex(r"\A[0-9]{1,4}[-./ ]?[0-9]{1,2}[-./ ]?[0-9]{1,4}\Z"))
@pytest.mark.parametrize("date_format", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"])
def test_with_separators_it_agrees_with_strptime(text: str, date_format: str) -> None:
    try:
        expected = datetime.strptime(text, date_format).date()  # noqa: DTZ007 - a calendar day
    except ValueError:
        expected = None
    assert read(text, date_format) == expected


@pytest.mark.parametrize(
    ("text", "date_format", "expected"),
    [
        ("1997011", "%Y%m%d", None),
        ("19970101", "YYYYMMDD", date(1997, 1, 1)),
        ("1/2/2024", "MM/DD/YYYY", date(2024, 1, 2)),
        ("2024-02-30", "%Y-%m-%d", None),
        ("2024-01-31 25:00:00", "%Y-%m-%d %H:%M:%S", None),
        ("2024-01-31 23:30:00 -0500", "%Y-%m-%d %H:%M:%S %z", date(2024, 1, 31)),
        ("31 JAN 2024", "%d %b %Y", date(2024, 1, 31)),
        ("2024-01-31x", "%Y-%m-%d", None),
    ],
)
def test_cases(text: str, date_format: str, expected: date | None) -> None:
    assert read(text, date_format) == expected


@pytest.mark.parametrize("date_format", ["%Y-%m", "%Y-%m-%d %d", "day", "%Y-%m-%d %Q", "%Y-%m-%d%", "%y %Y %m %d"])
def test_formats_that_name_no_single_day_are_refused(date_format: str) -> None:
    with pytest.raises(InvalidDateFormat):
        date_pattern(date_format)
