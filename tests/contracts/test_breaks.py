"""Each change that breaks somebody is caught, and those that break nobody pass."""

import copy
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from omnify_local.contracts import breaks, events
from omnify_local.contracts.services import Service
from omnify_shared.events import EventData

TYPE = "omnify.shop.order.placed.v1"


class Line(BaseModel):
    sku: str
    count: int


class OrderPlaced(EventData, type=TYPE):
    """An order was placed."""

    order_id: str
    amount: Decimal
    status: Literal["new", "paid"]
    placed_at: datetime
    note: str | None
    lines: list[Line]


PLACED = events.event_schema(OrderPlaced)
Change = Callable[[dict[str, Any]], Any]


def changed(change: Change) -> list[str]:
    """What breaks when the data schema of the event is changed in place."""
    schema = copy.deepcopy(PLACED)
    change(schema["properties"]["data"])
    return list(breaks.of_events({TYPE: PLACED}, {TYPE: schema}))


def drop(name: str) -> Change:
    def change(data: dict[str, Any]) -> None:
        del data["properties"][name]
        data["required"].remove(name)

    return change


def test_nothing_changed_breaks_nothing() -> None:
    assert list(breaks.of_events({TYPE: PLACED}, {TYPE: PLACED})) == []


def test_a_type_that_is_gone_is_a_break() -> None:
    assert list(breaks.of_events({TYPE: PLACED}, {})) == [f"{TYPE}: the type is gone; readers wait for it"]


def test_a_new_type_breaks_nothing() -> None:
    assert list(breaks.of_events({}, {TYPE: PLACED})) == []


EVENT_BREAKS: dict[str, tuple[Change, str]] = {
    "field removed": (drop("order_id"), "data.order_id: is required and is missing"),
    "field renamed": (
        lambda data: data["properties"].update(id=data["properties"].pop("order_id")),
        "data.order_id: any value is possible",
    ),
    "field no longer promised": (lambda data: data["required"].remove("order_id"), "data.order_id"),
    "nested field removed": (lambda data: _line(data)["required"].remove("sku"), "data.lines[].sku"),
    "type changed": (
        lambda data: data["properties"].update(order_id={"type": "integer"}),
        "data.order_id: type integer is possible, not only string",
    ),
    "type widened": (
        lambda data: data["properties"].update(order_id={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "data.order_id: type null is possible",
    ),
    "type narrowed": (lambda data: data["properties"].update(note={"type": "string"}), "an event sent before fails"),
    "text narrowed": (
        lambda data: data["properties"]["order_id"].update(maxLength=8),
        "an event sent before fails: data.order_id: maxLength 8",
    ),
    "format narrowed": (
        lambda data: data["properties"]["order_id"].update(format="uuid"),
        "an event sent before fails: data.order_id: format 'uuid'",
    ),
    "format dropped": (lambda data: data["properties"]["placed_at"].pop("format"), "format 'date-time' is asked"),
    "value added": (lambda data: data["properties"]["status"]["enum"].append("void"), "'void' is possible"),
    "value removed": (lambda data: data["properties"]["status"]["enum"].remove("paid"), "'paid' is possible"),
    "list made a value": (lambda data: data["properties"].update(lines={"type": "string"}), "data.lines: type string"),
    "any value": (lambda data: data["properties"].update(order_id={}), "data.order_id: any value is possible"),
    "unknown keyword": (lambda data: data["properties"]["order_id"].update({"if": {}}), "can't be compared: if"),
}


def _line(data: dict[str, Any]) -> Any:
    data["properties"]["lines"]["items"] = copy.deepcopy(PLACED["$defs"]["Line"])
    return data["properties"]["lines"]["items"]


@pytest.mark.parametrize("name", EVENT_BREAKS)
def test_a_break_of_an_event_is_caught(name: str) -> None:
    change, reason = EVENT_BREAKS[name]
    found = changed(change)
    assert any(reason in one for one in found), found


HARMLESS: dict[str, Change] = {
    "optional field added": lambda data: data["properties"].update(added={"type": "string"}),
    "promised field added": lambda data: (
        data["properties"].update(added={"type": "string"}),
        data["required"].append("added"),
    ),
    "optional field promised": lambda data: None,
    "texts changed": lambda data: data.update(description="Other words", title="Other"),
    "order of fields": lambda data: data.update(properties=dict(reversed(data["properties"].items()))),
    "order of values": lambda data: data["properties"]["status"]["enum"].reverse(),
    "definition inlined": lambda data: _line(data),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_passes(name: str) -> None:
    assert changed(HARMLESS[name]) == []


ENVELOPE_BREAKS: dict[str, tuple[Change, str]] = {
    "sequence a number": (
        lambda whole: whole["properties"].update(sequence={"type": "integer"}),
        "sequence: type integer",
    ),
    "subject not promised": (lambda whole: whole["required"].remove("subject"), "subject: is required"),
    "subject gone": (
        lambda whole: (whole["required"].remove("subject"), whole["properties"].pop("subject")),
        "subject: is required and is missing",
    ),
    "another source": (lambda whole: whole["properties"].update(source={"const": "other"}), "source: 'other'"),
    "trace gone": (lambda whole: whole["properties"].pop("traceparent"), "traceparent: is gone"),
    "data optional": (lambda whole: whole["required"].remove("data"), "data: is required"),
}


@pytest.mark.parametrize("name", ENVELOPE_BREAKS)
def test_a_break_of_the_envelope_is_caught(name: str) -> None:
    change, reason = ENVELOPE_BREAKS[name]
    schema = copy.deepcopy(PLACED)
    change(schema)
    found = list(breaks.of_events({TYPE: PLACED}, {TYPE: schema}))
    assert any(reason in one for one in found), found


def test_a_released_optional_field_that_goes_away_is_a_break() -> None:
    old = copy.deepcopy(PLACED)
    old["properties"]["data"]["properties"]["coupon"] = {"type": "string"}
    assert any("data.coupon: is gone" in one for one in breaks.of_events({TYPE: old}, {TYPE: PLACED}))


def reading(
    *readers: type[EventData],
    produces: tuple[type[EventData], ...] = (OrderPlaced,),
    released: dict[str, Any] | None = None,
) -> list[str]:
    """What breaks when another service reads like this."""
    shop = Service("shop", FastAPI(), produces=produces)
    mail = Service("mail", FastAPI(), reads=readers, handles=readers)
    return list(breaks.of_readers([shop, mail], released or {}))


def test_a_reader_of_promised_fields_is_fine() -> None:
    class Reader(EventData, type=TYPE):
        order_id: str
        status: str
        amount: Decimal
        note: str | None
        placed_at: datetime
        not_yet_sent: str = ""

    assert reading(Reader) == []


def reader_of(**fields: Any) -> type[EventData]:
    made: type[EventData] = type("Reader", (EventData,), {"__annotations__": fields, "__module__": __name__}, type=TYPE)
    return made


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"customer_id": str}, "data.customer_id: is required and is missing"),
        ({"order_id": int}, "data.order_id: type string is possible, not only integer"),
        ({"note": str}, "data.note: type null is possible"),
        ({"status": Literal["new"]}, "data.status: 'paid' is possible"),
        ({"order_id": Annotated[str, Field(max_length=5)]}, "data.order_id: maxLength 5 is asked"),
        ({"order_id": Annotated[str, Field(pattern="^o")]}, "data.order_id: pattern '^o' is asked"),
        ({"order_id": datetime}, "data.order_id: format 'date-time' is asked"),
        ({"lines": list[str]}, "data.lines[]: type object is possible"),
        ({"lines": Annotated[list[Line], Field(min_length=1)]}, "data.lines: minItems 1 is asked"),
        ({"lines": dict[str, str]}, "data.lines: type array is possible"),
    ],
)
def test_a_reader_that_asks_for_more_than_is_promised_is_caught(fields: dict[str, Any], reason: str) -> None:
    found = reading(reader_of(**fields))
    assert any(f"mail can't read {TYPE} (now): {reason}" in one for one in found), found


def test_a_field_that_older_events_lack_is_not_there_for_a_reader() -> None:
    older = copy.deepcopy(PLACED)
    drop("status")(older["properties"]["data"])
    found = reading(reader_of(status=str), released={TYPE: older})
    assert found == [f"mail can't read {TYPE} (as released): data.status: is required and is missing"]
    assert reading(reader_of(order_id=str), released={TYPE: older}) == []


def test_a_type_without_a_producer_is_caught() -> None:
    assert reading(reader_of(order_id=str), produces=()) == [f"mail reads {TYPE}, which nobody publishes"]


def test_what_is_declared_and_what_is_handled_must_agree() -> None:
    shop, reader = Service("shop", FastAPI(), produces=(OrderPlaced,)), reader_of(order_id=str)
    (silent,) = breaks.of_readers([shop, Service("mail", FastAPI(), reads=(reader,))], {})
    assert "has no handler" in silent
    (hidden,) = breaks.of_readers([shop, Service("mail", FastAPI(), handles=(reader,))], {})
    assert "does not declare it" in hidden


def test_an_event_under_another_services_name_is_caught() -> None:
    mail = Service("mail", FastAPI(), produces=(OrderPlaced,))
    assert "carries another service's name" in next(breaks.of_readers([mail], {}))
