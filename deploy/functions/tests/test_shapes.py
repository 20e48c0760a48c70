"""The event inside each delivery, what is no event, and what a function says when it is not configured."""

from typing import Any

import pytest

from omnify_functions import catalogue, shapes
from support import cloud_events

EVENT = {"id": "e1", "source": "auth", "type": "omnify.auth.user.registered.v1", "data": {"name": "Zoë"}}


@pytest.mark.parametrize("sns", [True, False])
def test_messages_of_sqs_hold_events_with_an_envelope_of_sns_or_without(sns: bool) -> None:
    found = list(shapes.sqs(cloud_events.sqs(EVENT, "no JSON {", sns=sns)))
    assert found == [("m0", EVENT), ("m1", "no JSON {")]


@pytest.mark.parametrize("managed", [True, False])
def test_records_of_kafka_hold_the_topic_s_bytes(managed: bool) -> None:
    delivery = cloud_events.kafka(EVENT, "no JSON {", managed=managed)
    assert shapes.is_kafka(delivery)
    assert list(shapes.kafka(delivery)) == [EVENT, "no JSON {"]


@pytest.mark.parametrize("value", [None, 7, "not base64!"])
def test_a_record_without_a_readable_value_is_no_event_and_no_error(value: Any) -> None:
    delivery = cloud_events.kafka(EVENT)
    delivery["records"]["auth-events-0"][0]["value"] = value
    [found] = shapes.kafka(delivery)
    assert not isinstance(found, dict)


def test_a_message_of_pubsub_holds_an_event() -> None:
    headers, body = cloud_events.pubsub(EVENT)
    assert shapes.pubsub(headers["ce-type"], headers["ce-source"], headers["ce-id"], body) == EVENT


@pytest.mark.parametrize("delivery", [{}, {"Records": []}, {"Records": [{"eventSource": "aws:s3"}]}])
def test_a_delivery_of_another_kind_is_refused(delivery: Any) -> None:
    with pytest.raises(shapes.UnknownShape):
        list(shapes.sqs(delivery))


def test_an_event_of_google_of_another_kind_is_refused() -> None:
    with pytest.raises(shapes.UnknownShape):
        shapes.pubsub("google.cloud.storage.object.v1.finalized", "bucket", "1", {"message": {}})


@pytest.mark.parametrize("set_one", [None, "DAPR_HTTP_ENDPOINT", "DAPR_GRPC_ENDPOINT"])
def test_without_both_endpoints_a_function_does_not_start(monkeypatch: pytest.MonkeyPatch, set_one: str | None) -> None:
    for variable in catalogue.ENDPOINTS:
        monkeypatch.setenv(variable, "https://dapr.example.com" if variable == set_one else " ")
    with pytest.raises(catalogue.Unconfigured) as refusal:
        catalogue.find("signup")
    for variable in catalogue.ENDPOINTS:
        assert (variable in str(refusal.value)) == (variable != set_one)
