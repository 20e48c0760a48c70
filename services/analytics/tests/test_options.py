"""What the `options` part may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from omnify_analytics.currencies import MINOR_UNITS, SCALE, money
from omnify_analytics.orders.options import ImportOptions

GOOD: dict[str, Any] = {
    "delimiter": ",",
    "has_header": True,
    "date_format": "%Y-%m-%d",
    "currency": "USD",
    "columns": {"customer_id": "c", "ordered_at": "d", "amount": 2},
}


def test_the_documented_form_is_taken() -> None:
    options = ImportOptions.model_validate(GOOD)
    assert options.columns.mapped() == {"customer_id": "c", "ordered_at": "d", "amount": 2}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("delimiter",), "|"),
        (("has_header",), "yes"),
        (("date_format",), "%Y"),
        (("date_format",), 7),
        (("currency",), "usd"),
        (("currency",), "XXX"),
        (("columns",), {"customer_id": "c"}),
        (("columns", "amount"), -1),
        (("columns", "amount"), True),
        (("columns", "amount"), 1.0),
        (("columns", "amount"), ""),
        (("columns", "amount"), {"$concat": ["a"]}),
        (("columns", "price"), "x"),
        (("decimal",), ","),
    ],
)
def test_anything_else_is_refused_with_its_place(path: tuple[str, ...], value: object) -> None:
    changed: dict[str, Any] = GOOD | {"columns": dict(GOOD["columns"])}
    (changed if len(path) == 1 else changed[path[0]])[path[-1]] = value
    with pytest.raises(ValidationError) as found:
        ImportOptions.model_validate(changed)
    [error] = [error for error in found.value.errors() if error["type"] != "missing"] or found.value.errors()[:1]
    assert error["loc"][: len(path)] == path


def test_names_need_a_header() -> None:
    with pytest.raises(ValidationError, match="has_header is false"):
        ImportOptions.model_validate(GOOD | {"has_header": False})


def test_money_is_rounded_to_the_minor_units_half_up() -> None:
    assert [money(12_345_650, code) for code in ("USD", "JPY", "KWD")] == ["1234.57", "1235", "1234.565"]
    assert max(MINOR_UNITS.values()) <= SCALE
    assert all(len(code) == 3 and code.isupper() for code in MINOR_UNITS)
