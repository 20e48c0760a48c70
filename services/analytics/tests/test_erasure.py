"""An organisation that was deleted: nothing of its orders is left in the store, and a receipt says so."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import httpx2 as httpx
import pytest
from dapr.proto import api_service_v1, api_v1

from omnify_shared import clock
from omnify_shared.ids import new_id
from support.golden import rows

JSON = dict[str, Any]
OPTIONS: JSON = {
    "date_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "amount"},
}
CONTENT = b"customer,day,amount\n1,2020-01-01,7\n2,2020-02-01,8\n"
USELESS = b"customer,day,amount\n1,someday,7\n"


def publish(service: Any, event_type: str, **data: str) -> None:
    """An event of auth, through auth's sidecar."""
    event = {
        "specversion": "1.0", "id": new_id(), "source": "auth", "type": event_type, "subject": "s", "sequence": "1",
        "time": clock.now().isoformat(), "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    request = api_v1.PublishEventRequest(
        pubsub_name="pubsub", topic="auth-events", data=json.dumps(event).encode(),
        data_content_type="application/cloudevents+json",
    )  # fmt: skip
    with grpc.insecure_channel(f"127.0.0.1:{service.auth.ports.grpc}") as channel:
        metadata = (("dapr-api-token", service.home.dapr_api_token),)
        api_service_v1.DaprStub(channel).PublishEvent(request, metadata=metadata, timeout=10)


def delete(service: Any, organization_id: str) -> None:
    publish(service, "omnify.auth.organization.deleted.v1", organization_id=organization_id, actor_id=new_id())


def receipt(peer: Any, erasure_id: str, count: int = 1) -> JSON:
    """The data of the last receipt, once there are `count`."""
    deadline = time.monotonic() + 60
    while True:
        found: list[JSON] = [
            event["data"]
            for event in list(peer.events)
            if event["type"].endswith("erasure.completed.v1") and event["data"]["erasure_id"] == erasure_id
        ]
        if len(found) >= count:
            return found[-1]
        assert time.monotonic() < deadline, "no receipt came"
        time.sleep(0.05)


def test_nothing_of_a_deleted_organisation_is_left(
    new_analytics: Callable[..., Any], new_peer: Callable[..., Any], set_name: str
) -> None:
    service = new_analytics()
    listener = new_peer(service.home, "listener", "analytics-events")
    gone, kept = service.tenant(), service.tenant()
    for tenant in (gone, kept):
        assert tenant.imported(CONTENT, OPTIONS)["status"] == "completed"
        assert tenant.imported(USELESS, OPTIONS)["status"] == "failed"
    assert gone.get("/overview")["orders"] == 2
    delete(service, gone.organization_id)
    assert receipt(listener, gone.organization_id)["counts"] == {"facts": 2, "imports": 2, "ledgers": 1}
    assert gone.get("/imports")["imports"] == []
    assert gone.get("/overview")["orders"] == 0
    late = gone.upload(CONTENT, OPTIONS)
    assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (404, "organization-gone")
    assert kept.get("/overview")["orders"] == 2
    if set_name == "local":
        found = [(key, key.encode() + data) for key, data in rows(service.home, "analytics")]
        left = {key for key, all_of_it in found if gone.organization_id.encode() in all_of_it}
        # Keys of documents with events, for a moment; ids that lead nowhere, on the list of the user who imported.
        names = {key for key in left if not key.startswith(("outbox/", "user-imports-index/"))}
        assert names == {f"erasure/{gone.organization_id}", f"ledger/{gone.organization_id}"}
        assert [key for key, _ in rows(service.home, "analytics") if key.startswith("chunk/")] == []
    delete(service, gone.organization_id)
    again = receipt(listener, gone.organization_id, count=2)
    assert again["counts"] == {"facts": 2, "imports": 2, "ledgers": 1}


@pytest.mark.parametrize(
    ("left_at", "lease"),
    [
        ("analytics.import.created", "PT1S"),
        ("analytics.import.facts", "PT1S"),
        ("analytics.import.facts", "PT8S"),  # the ledger is closed before anybody takes the import over
    ],
)
def test_an_import_that_was_under_way_goes_too(
    new_analytics: Callable[..., Any], new_peer: Callable[..., Any], set_name: str, left_at: str, lease: str
) -> None:
    service = new_analytics(lease=lease, recover_every="PT0.5S")
    listener = new_peer(service.home, "listener", "analytics-events")
    tenant = service.tenant()
    service.die_at(left_at)
    with suppress(httpx.TransportError):
        tenant.upload(CONTENT, OPTIONS)
    service.wait_for_death()
    delete(service, tenant.organization_id)
    service.start()
    receipt(listener, tenant.organization_id)
    if set_name == "local":
        kinds = ("import/", "manifest/", "fact/", "file/", "chunk/")
        own = {key for key, _ in rows(service.home, "analytics") if key.startswith(kinds)}
        assert own == set()
