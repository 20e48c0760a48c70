"""Each change of where and how an event travels that breaks somebody is caught, and additions pass."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from omnify_local.contracts import breaks, events
from omnify_local.contracts.services import Service
from omnify_shared.events import EventData

TYPE = "omnify.shop.order.placed.v1"
Change = Callable[[dict[str, Any]], Any]


class OrderPlaced(EventData, type=TYPE):
    """An order was placed."""

    order_id: str


class OrderVoided(EventData, type="omnify.shop.order.voided.v1"):
    """An order was voided."""

    order_id: str


def topics(*produces: type[EventData]) -> dict[str, Any]:
    return copy.deepcopy(events.asyncapi([Service("shop", FastAPI(), produces=produces)]))


TOPIC_BREAKS: dict[str, tuple[Change, str]] = {
    "topic gone": (lambda new: new["channels"].pop("shop-events"), "topic shop-events: is gone"),
    "topic renamed": (lambda new: new["channels"]["shop-events"].update(address="x"), "its address was shop-events"),
    "message gone": (lambda new: new["channels"]["shop-events"]["messages"].pop(TYPE), f"{TYPE} no longer travels"),
    "message moved": (
        lambda new: new["channels"].update(
            other={"address": "other", "messages": {TYPE: new["channels"]["shop-events"]["messages"].pop(TYPE)}}
        ),
        f"topic shop-events: {TYPE} no longer travels there",
    ),
    "partition key": (lambda new: _message(new)["bindings"]["kafka"].pop("key"), "its bindings changed"),
    "header": (lambda new: _message(new).update(headers={"type": "object"}), "its headers changed"),
    "content type": (lambda new: _message(new).update(contentType="application/json"), "its contentType changed"),
    "other schema": (
        lambda new: _message(new)["payload"]["schema"].update({"$ref": "./x.json"}),
        "its payload changed",
    ),
    "silence": (lambda new: new["operations"].pop("shop.send.shop-events"), "nobody sends there any more"),
}


def _message(document: dict[str, Any]) -> Any:
    return document["components"]["messages"][TYPE]


@pytest.mark.parametrize("name", TOPIC_BREAKS)
def test_a_break_of_the_topics_is_caught(name: str) -> None:
    change, reason = TOPIC_BREAKS[name]
    new = topics(OrderPlaced)
    change(new)
    found = list(breaks.of_topics(topics(OrderPlaced), new))
    assert any(reason in one for one in found), found


def test_more_events_and_topics_break_nobody() -> None:
    assert list(breaks.of_topics(topics(OrderPlaced), topics(OrderPlaced, OrderVoided))) == []
    assert list(breaks.of_topics({}, topics(OrderPlaced))) == []
