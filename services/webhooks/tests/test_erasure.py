"""An erased user is forgotten in what they made for organisations, which goes on."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from omnify_shared.ids import new_id
from support.golden import rows
from support.vendors import VENDORS

CONNECTION = {"provider": "meta", "secret": VENDORS["meta"].secrets["right"]}
RECEIPT = "omnify.webhooks.erasure.completed.v1"


@pytest.fixture(scope="module")
def hooks(new_hooks: Callable[..., Any]) -> Iterator[Any]:
    made = new_hooks()
    with made.listener:
        yield made


async def receipts(hooks: Any, erasure_id: str, count: int) -> list[Any]:
    """The counts in a service's receipts, once so many came."""
    deadline = time.monotonic() + 100
    while True:
        told = [event["data"] for event in list(hooks.listener.events) if event["type"] == RECEIPT]
        found = [data["counts"] for data in told if data["erasure_id"] == erasure_id]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, "no receipt came"
        await asyncio.sleep(0.05)


def exported(hooks: Any, user_id: str) -> tuple[list[str], list[str]]:
    """The endpoints and connections of which auth is told."""
    headers = hooks.webhooks.headers | {"dapr-caller-app-id": "auth"}
    answer = httpx.get(f"{hooks.webhooks.url}/internal/users/{user_id}/export", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert "http" not in answer.text, "where an endpoint leads is for the organisation alone"
    return [one["endpoint_id"] for one in found["endpoints"]], [one["connection_id"] for one in found["connections"]]


async def test_what_an_erased_user_made_goes_on_without_their_id(hooks: Any, set_name: str) -> None:
    user_id, erasure_id = new_id(), new_id()
    ann, there = hooks.tenant(sub=user_id), hooks.tenant(sub=user_id)
    ben = hooks.tenant(org=ann.id, sub=new_id())
    own, other, far = ann.endpoint("ok"), ben.endpoint("ok"), there.endpoint("ok")
    connection = there.ask("POST", "/connections", 201, json=CONNECTION)["connection_id"]
    endpoints, connections = exported(hooks, user_id)
    assert (set(endpoints), connections) == ({own.made["endpoint_id"], far.made["endpoint_id"]}, [connection])
    for count in (1, 2):
        await hooks.publish("omnify.auth.user.erased.v1", ann.id, user_id=user_id, erasure_id=erasure_id)
        assert await receipts(hooks, erasure_id, count) == [{"authorships": 2}] * count
    assert exported(hooks, user_id) == ([], [])
    assert [one.state["created_by"] == "" for one in (own, other, far)] == [True, False, True]
    assert there.ask("GET", f"/connections/{connection}", 200)["created_by"] == ""
    if set_name == "local":
        stored = [key for key, data in rows(hooks.home, "webhooks") if user_id.encode() in key.encode() + data]
        assert [key for key in stored if not key.startswith(("outbox/", "erasure/"))] == []
    await ann.fail_import()
    assert len(await hooks.arrived(own.path)) == 1
