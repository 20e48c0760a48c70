"""Files and webhooks on both clouds: what people began with the service itself, its function goes on with alone."""

import time
from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
import pytest

from omnify_local.journey import token_in
from omnify_shared.testing import Service
from support import cloud_events
from support.samples import image
from support.tokens import bearer
from support.uploads import CHUNK, TUS, UPLOADS, metadata
from support.vendors import VENDORS

CLOUDS = ("aws", "google")
STRIPE = VENDORS["stripe"]


@pytest.fixture(scope="module")
def owner(stage: Any) -> dict[str, str]:
    """The token of somebody who has signed up, in a header."""
    person = {"email": f"owner.{time.time_ns()}@shop.example", "password": "a long enough phrase"}
    form = person | {"full_name": "Ana Silva", "organization_name": "Silva & Co"}
    assert stage.auth_says("/api/auth/register", form).status_code == 202
    stage.aws("mail").invoke(cloud_events.sqs(stage.registered()))
    [mail] = stage.inbox.wait_for(person["email"], timeout=60)
    stage.auth_says("/api/auth/verify-email", {"token": token_in(mail)}).raise_for_status()
    return bearer(stage.auth_says("/api/auth/login", person).raise_for_status().json()["access_token"])


def uploaded(service: Service, owner: Mapping[str, str], data: bytes) -> str:
    """The id of a file that was sent whole."""
    headers = {**service.headers, **owner}
    about = {"Upload-Length": str(len(data)), "Upload-Metadata": metadata(filename="logo.png", purpose="logo")}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60, verify=False) as client:
        made = client.post(UPLOADS, headers={**TUS, **about}).raise_for_status()
        file_id: str = made.headers["location"].rpartition("/")[2]
        client.patch(f"{UPLOADS}/{file_id}", headers={**CHUNK, "Upload-Offset": "0"}, content=data).raise_for_status()
    return file_id


@pytest.fixture(scope="module")
def waiting(stage: Any, owner: dict[str, str]) -> dict[str, str]:
    """A file for each cloud that nobody has judged: the service, gone by now, had no scanner."""
    with stage.serving("files") as service:
        files = {cloud: uploaded(service, owner, image("PNG", (64 + n, 48))) for n, cloud in enumerate(CLOUDS)}
        for file_id in files.values():
            stage.event_about(file_id, "uploaded")
    return files


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_file_is_scanned_and_released(stage: Any, waiting: dict[str, str], cloud: str) -> None:
    event = stage.event_about(waiting[cloud], "uploaded")
    if cloud == "aws":
        answer = stage.aws("files", **stage.scanner).invoke(cloud_events.sqs(event))
        assert answer == {"batchItemFailures": []}
    else:
        assert stage.google("files", "files", "cloudevent", **stage.scanner).deliver(event).status_code == 200
    ready = stage.event_about(waiting[cloud], "ready")
    assert (ready["type"], ready["data"]["media_type"]) == ("omnify.files.file.ready.v1", "image/png")


@pytest.fixture(scope="module")
def connection(stage: Any, owner: dict[str, str]) -> dict[str, Any]:
    """A connection to Stripe."""
    with stage.serving("webhooks") as service:
        form = {"provider": "stripe", "secret": STRIPE.secrets["right"], "options": dict(STRIPE.options)}
        url, headers = f"{service.url}/api/webhooks/connections", {**service.headers, **owner}
        made: dict[str, Any] = httpx.post(url, json=form, headers=headers, timeout=60, verify=False).json()
        return made


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_another_platform_signed_is_taken_once_and_made_an_event(
    stage: Any, connection: dict[str, Any], cloud: str
) -> None:
    path = f"/api/webhooks/in/stripe/{connection['connection_id']}"
    body = STRIPE.body.replace(b"evt_1", b"evt_" + cloud.encode())
    function = stage.aws("webhooks") if cloud == "aws" else stage.google("webhooks", "webhooks", "http")

    def send(key: str) -> tuple[int, str]:
        headers = STRIPE.sign(STRIPE.secrets[key], body, time.time(), connection["url"])
        if cloud == "google":
            answer = function.ask("POST", path, content=body, headers=headers)
            return answer.status_code, answer.text
        said = function.invoke(cloud_events.api_gateway("POST", path, headers=headers, raw=body))
        return said["statusCode"], said["body"]

    seen = len(stage.bridge.events)
    assert send("wrong")[0] == 401
    status, said = send("right")
    assert (status, "accepted" in said) == (200, True), said
    assert "repeated" in send("right")[1]
    stage.until(lambda: len(received(stage, seen)) == 1, 90)
    assert received(stage, seen)[0]["data"]["provider"] == "stripe"


def received(stage: Any, seen: int) -> list[Any]:
    """What came of requests since then; a delivery may be repeated, its event is one."""
    events = {event["id"]: event for event in stage.bridge.events[seen:]}
    return [event for event in events.values() if event["type"] == "omnify.webhooks.event.received.v1"]
