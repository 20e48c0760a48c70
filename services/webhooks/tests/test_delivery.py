"""Events reach the endpoints that want them, signed, once, and again until they are answered with 2xx."""

import asyncio
import json
import time
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from support.golden import rows

FAILED = "omnify.analytics.import.failed.v1"
RENAMED = "omnify.auth.organization.renamed.v1"


async def test_an_event_is_delivered_as_standard_webhooks_has_it(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("ok")
    await ada.fail_import(reason="no orders")
    [request] = await hooks.arrived(endpoint.path)
    assert request["problem"] is None
    content = Webhook(endpoint.made["secret"]).verify(request["body"], request["headers"])
    assert content["type"] == FAILED
    assert content["data"]["organization_id"] == ada.id
    assert content["data"]["reason"] == "no orders"
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.made["secret"]).verify(request["body"].replace("no orders", "NO orders"), request["headers"])
    [delivered] = await endpoint.ended("delivered")
    assert delivered["message_id"] == request["headers"]["webhook-id"]
    found = endpoint.delivery(delivered["message_id"])
    assert json.loads(found["payload"]) == content
    [attempt] = found["attempts"]
    assert (attempt["status"], attempt["response"], attempt["error"]) == (200, "thanks", None)
    assert "x-internal" not in attempt["headers"]


async def test_only_the_types_asked_for_and_only_of_the_own_organisation(hooks: Any) -> None:
    ada, bob = hooks.tenant(), hooks.tenant()
    wanting, other, foreign = ada.endpoint("ok"), ada.endpoint("ok", RENAMED), bob.endpoint("ok", FAILED, RENAMED)
    await ada.fail_import()
    await hooks.publish(RENAMED, ada.id, actor_id="u1", secret_field="stays inside")
    [renamed] = await hooks.arrived(other.path)
    await hooks.arrived(wanting.path)
    assert json.loads(renamed["body"])["data"] == {"organization_id": ada.id, "actor_id": "u1"}
    await bob.fail_import()
    [own] = await hooks.arrived(foreign.path)
    assert json.loads(own["body"])["data"]["organization_id"] == bob.id
    assert (len(hooks.taken(wanting.path)), len(hooks.taken(other.path))) == (1, 1)


async def test_an_event_that_comes_again_is_not_sent_again(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("ok")
    event_id = await ada.fail_import()
    await hooks.arrived(endpoint.path)
    for _ in range(3):
        await ada.fail_import(event_id)
    await ada.fail_import()
    await hooks.arrived(endpoint.path, 2)
    await asyncio.sleep(1)
    ids = [request["headers"]["webhook-id"] for request in hooks.taken(endpoint.path)]
    assert len(ids) == len(set(ids)) == 2


async def test_the_ladder_is_climbed_until_2xx_with_the_same_id_and_body(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("fail-4")
    await ada.fail_import()
    requests = await hooks.arrived(endpoint.path, 5)
    await endpoint.ended("delivered")
    assert len({(one["headers"]["webhook-id"], one["body"]) for one in requests}) == 1
    for request in requests:
        Webhook(endpoint.made["secret"]).verify(request["body"], request["headers"])
    attempts = endpoint.delivery(requests[0]["headers"]["webhook-id"])["attempts"]
    assert [attempt["status"] for attempt in attempts] == [500, 500, 500, 500, 200]


async def test_after_ten_attempts_a_delivery_has_failed(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("fail-99")
    await ada.fail_import()
    [failed] = await endpoint.ended("failed")
    assert (failed["attempts"], failed["next_at"], failed["reason"]) == (10, None, "answered 500")
    assert len(hooks.taken(endpoint.path)) == 10


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("hang", "no answer within 2 s", None),
        ("drip", "no answer within 2 s", None),
        ("reset", "no answer: ClientOSError", None),
        ("redirect", None, 302),
    ],
)
async def test_what_does_not_answer_with_2xx_is_tried_again(
    hooks: Any, kind: str, error: str | None, status: int | None
) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint(kind)
    await ada.fail_import()
    requests = await hooks.arrived(endpoint.path, 2)
    attempts = endpoint.delivery(requests[0]["headers"]["webhook-id"])["attempts"]
    assert (attempts[0]["status"], attempts[0]["error"]) == (status, error)
    assert hooks.taken("/trap/ok") == []


async def test_a_huge_answer_is_kept_in_part_and_counts(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("huge")
    await ada.fail_import()
    [delivered] = await endpoint.ended("delivered")
    [attempt] = endpoint.delivery(delivered["message_id"])["attempts"]
    assert attempt["response"] == "z" * 16 * 1024


async def test_gone_disables_and_says_so(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("gone")
    await ada.fail_import()
    await endpoint.ended("failed")
    deadline = time.monotonic() + 30
    while endpoint.state["enabled"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert endpoint.state["disabled_reason"] == "gone"
    await ada.fail_import()
    other = ada.endpoint("ok")
    await ada.fail_import()
    await hooks.arrived(other.path)
    assert len(hooks.taken(endpoint.path)) == 1


async def test_retry_after_is_waited_for(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("busy-2")
    await ada.fail_import()
    first, second = await hooks.arrived(endpoint.path, 2)
    assert second["at"] - first["at"] >= 2


async def test_a_test_message_is_sent_once(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("fail-99")
    sent = ada.ask("POST", f"{endpoint.url}/test", 202)["message_id"]
    [request] = await hooks.arrived(endpoint.path)
    assert json.loads(request["body"])["type"] == "omnify.webhooks.test.sent.v1"
    [failed] = await endpoint.ended("failed")
    assert (failed["message_id"], failed["attempts"]) == (sent, 1)


async def test_replays_of_one_of_all_failed_and_of_all_missing(hooks: Any) -> None:
    ada = hooks.tenant()
    began = "2026-01-01T00:00:00Z"
    endpoint = ada.endpoint("fail-10")
    await ada.fail_import()
    [failed] = await endpoint.ended("failed")
    again = {"which": "failed", "since": began}
    assert ada.ask("POST", f"{endpoint.url}/replay", 202, json=again)["replayed"] == 1
    await endpoint.ended("delivered")
    assert ada.ask("POST", f"{endpoint.url}/replay", 202, json=again)["replayed"] == 0
    late = ada.endpoint("ok")
    missing = {"which": "missing", "since": began}
    assert ada.ask("POST", f"{late.url}/replay", 202, json=missing)["replayed"] == 1
    [request] = await hooks.arrived(late.path)
    assert request["headers"]["webhook-id"] == failed["message_id"]
    await late.ended("delivered")
    ada.ask("POST", f"{late.url}/deliveries/{failed['message_id']}/replay", 202)
    requests = await hooks.arrived(late.path, 2)
    assert len({one["headers"]["webhook-id"] for one in requests}) == 1


async def test_a_rotated_secret_and_the_one_before_both_sign(hooks: Any) -> None:
    ada = hooks.tenant()
    endpoint = ada.endpoint("ok")
    fresh = ada.ask("POST", f"{endpoint.url}/secret", 200, json={})["secret"]
    await ada.fail_import()
    [request] = await hooks.arrived(endpoint.path)
    for secret in (endpoint.made["secret"], fresh):
        Webhook(secret).verify(request["body"], request["headers"])
    newest = ada.ask("POST", f"{endpoint.url}/secret", 200, json={"overlap": False})["secret"]
    await asyncio.sleep(1.1)  # for which the endpoint as it was may be used
    await ada.fail_import()
    request = (await hooks.arrived(endpoint.path, 2))[1]
    Webhook(newest).verify(request["body"], request["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(fresh).verify(request["body"], request["headers"])
    assert ada.ask("GET", f"{endpoint.url}/secret", 200)["secret"] == newest


async def test_nothing_of_a_deleted_organisation_is_left(hooks: Any, set_name: str) -> None:
    ada, bob = hooks.tenant(), hooks.tenant()
    endpoints = [ada.endpoint("ok"), bob.endpoint("ok")]
    for tenant, endpoint in zip((ada, bob), endpoints, strict=True):
        await tenant.fail_import()
        await endpoint.ended("delivered")
    await hooks.publish("omnify.auth.organization.deleted.v1", ada.id, actor_id="u1")
    deadline = time.monotonic() + 60
    while ada.ask("GET", "/endpoints", 200)["endpoints"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert len(bob.ask("GET", "/endpoints", 200)["endpoints"]) == 1
    if set_name == "local":
        kinds = {"message", "delivery", "health"}
        left = [key for key, _ in rows(hooks.home, "webhooks") if ada.id in key and key.split("/")[0] in kinds]
        assert left == []
