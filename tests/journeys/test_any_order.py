"""Events that arrive late, twice or the wrong way round: what the services make of them is the same."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2 as httpx
import jwt
import pytest
from pydantic_core import to_json

from omnify_local.journey import Marketer, token_in
from omnify_shared.access import OPERATOR
from omnify_shared.dapr.client import SidecarClient
from omnify_shared.dapr.endpoints import Endpoint
from omnify_shared.events import CloudEvent, EventData
from omnify_shared.events.model import topic_of
from omnify_shared.events.publisher import PUBSUB
from omnify_shared.testing import Platform

pytestmark = pytest.mark.guarantee("any order")


class Revoked(EventData, type="omnify.auth.session.revoked.v1"):
    session_id: str
    expires_at: str = "2100-01-01T00:00:00Z"


class Requested(EventData, type="omnify.auth.verification.requested.v1"):
    user_id: str
    organization_id: str = "unknown"
    verification_id: str


async def publish(platform: Platform, events: Sequence[CloudEvent[Any]]) -> None:
    """In this order, as auth would."""
    sidecar = platform.services["auth"].sidecar
    client = SidecarClient(Endpoint.beside(sidecar.ports.grpc), {"dapr-api-token": sidecar.tokens.api})
    try:
        for event in events:
            await client.publish_event(
                PUBSUB,
                topic_of(event.type),
                to_json(event.wire()),
                publish_metadata={"partitionKey": event.subject},
                data_content_type="application/cloudevents+json",
            )
    finally:
        await client.close()


def mail_of(platform: Platform, event_id: str, seconds: float = 20) -> Mapping[str, Any]:
    """What email has on record for an event, once that is final."""
    sidecar = platform.services["email"].sidecar
    headers = {"dapr-api-token": sidecar.tokens.app, "dapr-caller-app-id": OPERATOR}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = httpx.get(f"http://127.0.0.1:{sidecar.app_port}/mails/{event_id}", headers=headers)
        if answer.status_code == 200 and answer.json()["status"] != "sending":
            record: dict[str, Any] = answer.json()
            return record
        time.sleep(0.05)
    raise AssertionError(f"no mail of {event_id} within {seconds} s")


async def test_ends_of_sessions_shuffled_and_repeated_end_those_and_no_others(
    platform: Platform, new_marketer: Callable[..., Marketer]
) -> None:
    marketer = new_marketer()
    marketer.join(platform.inbox)
    sessions = []
    for _ in range(6):
        marketer.log_in()
        sessions.append(str(marketer.tokens["access_token"]))
    ended, going_on = sessions[:4], sessions[4:]
    ids = [jwt.decode(token, options={"verify_signature": False})["sid"] for token in ended]
    events = [CloudEvent.of(Revoked(session_id=sid), source="auth", subject=sid, sequence=2) for sid in ids] * 3
    random.Random(4).shuffle(events)
    await publish(platform, events)
    for path in ("/api/auth/me", "/api/analytics/imports"):
        for token in ended:
            marketer.seconds_until_refused(token, path)
        for token in going_on:
            answer = httpx.get(platform.url + path, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text


async def test_a_mail_asked_for_by_events_that_come_late_and_twice_is_sent_when_it_is_still_of_use(
    platform: Platform, new_marketer: Callable[..., Marketer]
) -> None:
    early, late = new_marketer(), new_marketer()
    asked = []
    for marketer in (early, late):
        marketer.register()
        token = token_in(platform.inbox.wait_for(marketer.email)[-1])
        data = Requested(user_id="unknown", verification_id=token.split(".")[0])
        asked.append(CloudEvent.of(data, source="auth", subject="unknown", sequence=2))
        if marketer is late:
            marketer.verify(token)
    await publish(platform, [*asked, *reversed(asked), *asked])
    assert [mail_of(platform, event.id)["status"] for event in asked] == ["sent", "skipped"]
    assert len(platform.inbox.wait_for(early.email, count=2)) == 2
    assert len(platform.inbox.mails(late.email)) == 1
