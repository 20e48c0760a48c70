"""Webhooks through the public door: an import reaches the shop's own server, other platforms reach the shop."""

import json
import time
from collections.abc import Callable

import pytest
from standardwebhooks import Webhook

from omnify_local.journey import Marketer
from omnify_shared.testing import Platform
from support.shops import COMPLETED, GONE, ORDER_OPTIONS, ORDERS, Arrived
from support.vendors import VENDORS

pytestmark = pytest.mark.guarantee("journeys")


@pytest.fixture(scope="module")
def ada(platform: Platform, new_marketer: Callable[..., Marketer]) -> Marketer:
    return new_marketer().join(platform.inbox)


def test_an_import_is_told_to_the_shops_own_server(platform: Platform, ada: Marketer, shop: Arrived) -> None:
    form = {"url": f"http://127.0.0.1:{platform.receiver_port}/omnify", "event_types": [COMPLETED]}
    secret = ada.ask("POST", "/api/webhooks/endpoints", 201, json=form)["secret"]
    imported = ada.start_import(ORDERS, ORDER_OPTIONS)
    deadline = time.monotonic() + 60
    while not shop:
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)
    [(headers, body)] = shop
    content = Webhook(secret).verify(body.decode(), {name.lower(): value for name, value in headers.items()})
    assert (content["type"], content["data"]["import_id"]) == (COMPLETED, imported)


@pytest.mark.usefixtures("shop")
def test_whoever_made_an_endpoint_that_is_gone_is_told(platform: Platform, ada: Marketer) -> None:
    form = {"url": f"http://127.0.0.1:{platform.receiver_port}{GONE}", "event_types": [COMPLETED]}
    made = ada.ask("POST", "/api/webhooks/endpoints", 201, json=form)
    ada.start_import(ORDERS + b"2,2020-01-02,8\n", ORDER_OPTIONS)
    [mail] = platform.inbox.wait_for(ada.email, subject="webhook endpoint was disabled", timeout=60)
    assert "at 127.0.0.1 that you made" in mail.text
    assert "410" in mail.text
    assert ada.ask("GET", f"/api/webhooks/endpoints/{made['endpoint_id']}", 200)["disabled_reason"] == "gone"


@pytest.mark.parametrize("name", VENDORS)
def test_every_provider_passes_the_public_door_to_the_byte(ada: Marketer, name: str) -> None:
    vendor = VENDORS[name]
    form = {"provider": vendor.provider, "secret": vendor.secrets["right"], "options": dict(vendor.options)}
    made = ada.ask("POST", "/api/webhooks/connections", 201, json=form)
    door = made["url"].removeprefix(ada.gateway)
    headers = vendor.sign(vendor.secrets["right"], vendor.body, time.time(), made["url"])
    headers["content-type"] = "application/json"
    answer = ada.http.post(door, content=vendor.body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    wrong = vendor.sign(vendor.secrets["wrong"], vendor.body, time.time(), made["url"])
    assert ada.http.post(door, content=vendor.body, headers=wrong).status_code == 401
    [kept] = ada.ask("GET", f"/api/webhooks/connections/{made['connection_id']}/events", 200)["items"]
    assert kept["event_type"] == vendor.event_type


def test_more_than_a_mebibyte_does_not_come_through(ada: Marketer) -> None:
    answer = ada.http.post("/api/webhooks/in/stripe/0190a000-0000-7000-8000-000000000000", content=b"x" * 1_048_577)
    assert answer.status_code == 413
    assert json.loads(answer.content)["status"] == 413
