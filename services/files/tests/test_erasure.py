"""An organisation that was deleted: nothing of it is left, neither bytes nor documents, and there is a receipt."""

import json
import time
from collections.abc import Callable
from typing import Any

import grpc
from dapr.proto import api_service_v1, api_v1

from omnify_shared import clock
from omnify_shared.ids import new_id
from support.golden import rows
from support.uploads import wait_for


def delete(files: Any, organization_id: str) -> None:
    """Auth's event, through auth's sidecar."""
    event = {
        "specversion": "1.0", "id": new_id(), "source": "auth", "type": "omnify.auth.organization.deleted.v1",
        "subject": organization_id, "sequence": "1", "time": clock.now().isoformat(),
        "datacontenttype": "application/json", "data": {"organization_id": organization_id, "actor_id": new_id()},
    }  # fmt: skip
    request = api_v1.PublishEventRequest(
        pubsub_name="pubsub", topic="auth-events", data=json.dumps(event).encode(),
        data_content_type="application/cloudevents+json",
    )  # fmt: skip
    with grpc.insecure_channel(f"127.0.0.1:{files.sidecars[0].ports.grpc}") as channel:
        metadata = (("dapr-api-token", files.home.dapr_api_token),)
        api_service_v1.DaprStub(channel).PublishEvent(request, metadata=metadata, timeout=10)


def receipts(files: Any, erasure_id: str) -> list[dict[str, int]]:
    found = [event for event in files.listener.events if event["type"] == "omnify.files.erasure.completed.v1"]
    return [event["data"]["counts"] for event in found if event["data"]["erasure_id"] == erasure_id]


def test_nothing_of_a_deleted_organisation_is_left(files: Any, set_name: str) -> None:
    gone, kept = files.tenant(), files.tenant()
    for tenant in (gone, kept):
        assert tenant.judged("a.txt", b"words")["state"] == "ready"
        assert tenant.judged("b.png", b"not a picture")["state"] == "refused"
        half = tenant.created("c.txt", 10)
        tenant.patch(half, 0, b"01234")
    link = gone.link(gone.http.get("/api/files").json()["files"][-1]["file_id"]).json()["url"]
    delete(files, gone.organization_id)
    assert wait_for(lambda: receipts(files, gone.organization_id)) == [{"files": 3}]
    assert gone.http.get("/api/files").json() == {"files": [], "next_cursor": None}
    assert [path for path in files.blobs if gone.organization_id in str(path)] == []
    assert gone.http.get(link, headers=files.service.headers).status_code == 404
    late = gone.create("late.txt", 5)
    assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (404, "organization-gone")
    assert len(kept.http.get("/api/files").json()["files"]) == 3
    if set_name == "local":
        left = names(files, gone.organization_id)
        assert left == {f"erasure/{gone.organization_id}", f"usage/{gone.organization_id}"}
    delete(files, gone.organization_id)
    assert wait_for(lambda: len(receipts(files, gone.organization_id)) == 2)


def names(files: Any, organization_id: str, seconds: float = 60) -> set[str]:
    """The keys of all that speaks of an organisation, once what is published is cleared from the outbox."""
    deadline, read = time.monotonic() + seconds, _reader(files, organization_id)
    while (found := read()) and len(found) > 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _reader(files: Any, organization_id: str) -> Callable[[], set[str]]:
    def read() -> set[str]:
        found = {
            key for key, data in rows(files.home, "files") if organization_id in key or organization_id.encode() in data
        }
        return {key for key in found if not key.startswith("outbox/")}

    return read
