"""An organisation that was deleted: nothing of it is left, neither bytes nor documents, and there is a receipt.

No document says any more that a file was an erased user's."""

import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx2 as httpx
from dapr.proto import api_service_v1, api_v1

from omnify_shared import clock
from omnify_shared.ids import new_id
from support.golden import rows
from support.uploads import wait_for


def publish(files: Any, what: str, **data: str) -> None:
    """Auth's event, through auth's sidecar."""
    event = {
        "specversion": "1.0", "id": new_id(), "source": "auth", "type": f"omnify.auth.{what}.v1", "subject": "s",
        "sequence": "1", "time": clock.now().isoformat(), "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    request = api_v1.PublishEventRequest(
        pubsub_name="pubsub", topic="auth-events", data=json.dumps(event).encode(),
        data_content_type="application/cloudevents+json",
    )  # fmt: skip
    with grpc.insecure_channel(f"127.0.0.1:{files.sidecars[0].ports.grpc}") as channel:
        metadata = (("dapr-api-token", files.home.dapr_api_token),)
        api_service_v1.DaprStub(channel).PublishEvent(request, metadata=metadata, timeout=10)


def delete(files: Any, organization_id: str) -> None:
    publish(files, "organization.deleted", organization_id=organization_id, actor_id=new_id())


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


def exported(files: Any, user_id: str) -> list[dict[str, Any]]:
    """What auth is told of a user."""
    headers = files.service.headers | {"dapr-caller-app-id": "auth"}
    answer = httpx.get(f"{files.service.url}/internal/users/{user_id}/export", headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["files"])


def test_an_erased_user_is_forgotten_and_their_files_stay(files: Any, set_name: str) -> None:
    ann = files.tenant()
    ben = files.tenant(organization_id=ann.organization_id)
    there = files.tenant(user_id=ann.user_id)
    own = [ann.created("a.txt", 5), there.judged("b.txt", b"words")["file_id"]]
    other = ben.created("c.txt", 5)
    assert [(one["file_id"], one["filename"]) for one in exported(files, ann.user_id)] == [
        (own[1], "b.txt"),
        (own[0], "a.txt"),
    ]
    erasure_id = new_id()
    publish(files, "user.erased", user_id=ann.user_id, erasure_id=erasure_id)
    assert wait_for(lambda: receipts(files, erasure_id)) == [{"authorships": 2}]
    assert exported(files, ann.user_id) == []
    assert [one["file_id"] for one in exported(files, ben.user_id)] == [other]
    assert ben.file(own[0])["state"] == "uploading", "it goes on for the organisation"
    assert there.download(own[1]).content == b"words"
    if set_name == "local":
        assert names(files, ann.user_id, most=1) == {f"erasure/{erasure_id}"}
    publish(files, "user.erased", user_id=ann.user_id, erasure_id=erasure_id)
    assert wait_for(lambda: receipts(files, erasure_id) == [{"authorships": 2}] * 2)


def names(files: Any, named: str, seconds: float = 60, *, most: int = 2) -> set[str]:
    """The keys of all that speaks of an organisation or a user, once what is published is cleared from the outbox."""
    deadline, read = time.monotonic() + seconds, _reader(files, named)
    while (found := read()) and len(found) > most and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _reader(files: Any, named: str) -> Callable[[], set[str]]:
    def read() -> set[str]:
        found = {key for key, data in rows(files.home, "files") if named in key or named.encode() in data}
        # A user's list keeps ids that lead nowhere, until the user is erased.
        of_users = {key for key in found if key.startswith("user-files-index/") and named not in key}
        return {key for key in found - of_users if not key.startswith("outbox/")}

    return read
