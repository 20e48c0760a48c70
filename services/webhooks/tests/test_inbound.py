"""What other platforms send is taken at the door when it is signed, kept, and made an event of, once."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from omnify_shared.ids import new_id
from support.golden import rows
from support.vendors import VENDORS, Vendor


async def until(holds: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def hooks(new_hooks: Callable[..., Any]) -> Iterator[Any]:
    made = new_hooks(WEBHOOKS_RECEIVE_PER_MINUTE="60")
    with made.listener:
        yield made


class Door:
    """A connection and its door."""

    def __init__(self, tenant: Any, vendor: Vendor, **values: Any) -> None:
        self.tenant, self.vendor = tenant, vendor
        form = {"provider": vendor.provider, "secret": vendor.secrets["right"], "options": dict(vendor.options)}
        self.made = tenant.ask("POST", "/connections", 201, json=form | values)
        self.url = f"/connections/{self.made['connection_id']}"
        self.path = f"/api/webhooks/in/{vendor.provider}/{self.made['connection_id']}"

    def send(
        self, body: bytes | None = None, *, key: str = "right", path: str | None = None, **more: Any
    ) -> httpx.Response:
        """As the vendor sends, through the sidecar's eyes."""
        body = self.vendor.body if body is None else body
        headers = self.vendor.sign(self.vendor.secrets[key], body, time.time(), self.made["url"])
        service = self.tenant.hooks.webhooks
        return httpx.post(
            service.url + (path or self.path), content=body, headers=service.headers | headers, timeout=30, **more
        )

    def events(self) -> list[Any]:
        items: list[Any] = self.tenant.ask("GET", f"{self.url}/events", 200)["items"]
        return items


def made_of(hooks: Any, receipt_id: str) -> list[Any]:
    """The events about a request that were published."""
    return [event for event in hooks.listener.events if event["data"].get("receipt_id") == receipt_id]


@pytest.mark.parametrize("name", VENDORS)
async def test_each_provider_is_taken_and_makes_a_typed_event(hooks: Any, name: str) -> None:
    ada = hooks.tenant()
    door = Door(ada, VENDORS[name])
    answer = door.send()
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    [kept] = door.events()
    assert kept["event_type"] == VENDORS[name].event_type
    found = ada.ask("GET", f"{door.url}/events/{kept['receipt_id']}", 200)
    assert found["body"].encode() == VENDORS[name].body
    await until(lambda: made_of(hooks, kept["receipt_id"]))
    [event] = made_of(hooks, kept["receipt_id"])
    assert event["type"] == "omnify.webhooks.event.received.v1"
    assert (event["data"]["organization_id"], event["data"]["provider"]) == (ada.id, VENDORS[name].provider)
    assert door.send().json() == {"status": "repeated"}
    assert len(door.events()) == 1


def test_nobody_learns_which_connections_there_are(hooks: Any) -> None:
    door = Door(hooks.tenant(), VENDORS["stripe"])
    wrong = door.send(key="wrong")
    unknown = door.send(path=f"/api/webhooks/in/stripe/{new_id()}")
    other = door.send(path=door.path.replace("/stripe/", "/tiktok/"))
    door.tenant.ask("PATCH", door.url, 200, json={"enabled": False})
    off = door.send()
    answers = [one.json() | {"request_id": ""} for one in (wrong, unknown, other, off)]
    assert [one.status_code for one in (wrong, unknown, other, off)] == [401] * 4
    assert answers == [answers[0]] * 4
    assert door.events() == []


def test_a_new_secret_counts_beside_the_one_before(hooks: Any) -> None:
    ada = hooks.tenant()
    door = Door(ada, VENDORS["stripe"])
    secrets = VENDORS["stripe"].secrets
    ada.ask("POST", f"{door.url}/secret", 200, json={"secret": secrets["wrong"]})
    assert door.send(b'{"id": "evt_old"}').status_code == 200
    assert door.send(b'{"id": "evt_new"}', key="wrong").status_code == 200
    ada.ask("POST", f"{door.url}/secret", 200, json={"secret": secrets["wrong"], "overlap": False})
    assert door.send(b'{"id": "evt_late"}').status_code == 401


def test_metas_handshake(hooks: Any) -> None:
    door = Door(hooks.tenant(), VENDORS["meta"], verify_token="a token for the handshake")
    query = {"hub.mode": "subscribe", "hub.verify_token": "a token for the handshake", "hub.challenge": "1158201444"}

    def shake(**changed: str) -> httpx.Response:
        service = hooks.webhooks
        params = query | {name.replace("_", ".", 1): value for name, value in changed.items()}
        return httpx.get(service.url + door.path, params=params, headers=service.headers)

    assert (shake().status_code, shake().text) == (200, "1158201444")
    assert shake(hub_verify_token="another").status_code == 401
    assert shake(hub_mode="unsubscribe").status_code == 401
    assert shake(hub_challenge="<script>").status_code == 401
    stranger = Door(hooks.tenant(), VENDORS["meta"])
    answer = httpx.get(hooks.webhooks.url + stranger.path, params=query, headers=hooks.webhooks.headers)
    assert answer.status_code == 401, "without a token there is no handshake"


def test_too_many_are_asked_to_come_later(hooks: Any) -> None:
    door = Door(hooks.tenant(), VENDORS["stripe"])
    answers = [door.send(b'{"id": "evt_%d"}' % number) for number in range(70)]
    assert 429 in {one.status_code for one in answers}
    late = next(one for one in answers if one.status_code == 429)
    assert 0 < int(late.headers["retry-after"]) <= 60
    assert door.send(key="wrong").status_code == 401, "who can't sign is not counted"


def test_a_body_over_one_mebibyte_is_refused(hooks: Any) -> None:
    door = Door(hooks.tenant(), VENDORS["stripe"])
    assert door.send(b"x" * (1024 * 1024 + 1)).status_code == 413
    assert door.send(b'{"id": "evt_large", "x": "' + b"x" * 1_000_000 + b'"}').status_code == 200


async def test_replays_by_id_and_by_range(hooks: Any) -> None:
    ada = hooks.tenant()
    door = Door(ada, VENDORS["standard"])
    for number in range(3):
        assert door.send(b'{"type": "n", "data": %d}' % number).status_code == 200
    newest = door.events()[0]["receipt_id"]
    ada.ask("POST", f"{door.url}/events/{newest}/replay", 202)
    await until(lambda: len(made_of(hooks, newest)) == 2)
    assert [event["data"]["replays"] for event in made_of(hooks, newest)] == [0, 1]
    whole = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    assert ada.ask("POST", f"{door.url}/replay", 202, json=whole)["replayed"] == 3
    past = {"since": "2025-01-01T00:00:00Z", "until": "2025-02-01T00:00:00Z"}
    assert ada.ask("POST", f"{door.url}/replay", 202, json=past)["replayed"] == 0


@pytest.mark.parametrize("point", ["webhooks.receive.stored", "webhooks.receive.listed"])
async def test_killed_after_a_step_nothing_acknowledged_is_lost_or_doubled(hooks: Any, point: str) -> None:
    ada = hooks.tenant()
    door = Door(ada, VENDORS["stripe"])
    hooks.webhooks.die_at(point)
    with pytest.raises(httpx.TransportError):
        door.send()
    await asyncio.to_thread(hooks.webhooks.wait_for_death)
    await asyncio.to_thread(hooks.webhooks.start)
    assert door.send().json() == {"status": "repeated"}
    [kept] = door.events()
    await until(lambda: made_of(hooks, kept["receipt_id"]))
    assert len({event["id"] for event in made_of(hooks, kept["receipt_id"])}) == 1


async def test_what_a_deleted_organisation_received_is_deleted(hooks: Any, set_name: str) -> None:
    ada = hooks.tenant()
    doors = [Door(ada, VENDORS["stripe"]), Door(ada, VENDORS["meta"])]
    for door in doors:
        assert door.send().status_code == 200
    ada.ask("DELETE", doors[1].url, 204)
    assert doors[1].send().status_code == 401
    await hooks.publish("omnify.auth.organization.deleted.v1", ada.id, actor_id="u1")
    await until(lambda: not ada.ask("GET", "/connections", 200)["connections"])
    if set_name == "local":
        ids = {door.made["connection_id"] for door in doors}

        def left() -> list[str]:
            keys = (key.split("/") for key, _ in rows(hooks.home, "webhooks"))
            return ["/".join(key) for key in keys if key[0] == "receipt" and key[1] in ids]

        await until(lambda: not left())
