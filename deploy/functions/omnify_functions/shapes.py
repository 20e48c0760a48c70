"""The event that lies inside what each cloud delivers; each is the bytes that a service's sidecar published.

SQS: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, below an SNS envelope unless raw delivery is on.
Kafka, MSK and self-managed: https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html.
Pub/Sub by Eventarc: https://cloud.google.com/eventarc/docs/cloudevents (google.cloud.pubsub.topic.v1.messagePublished).
"""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

PUBSUB_MESSAGE = "google.cloud.pubsub.topic.v1.messagePublished"
_KAFKA = ("aws:kafka", "SelfManagedKafka")


class UnknownShape(ValueError):
    """What was delivered is of no kind that these functions are for."""


def is_kafka(delivery: Mapping[str, Any]) -> bool:
    """Whether a Lambda event is a batch of Kafka records."""
    return delivery.get("eventSource") in _KAFKA


def sqs(delivery: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The message id and the event of each record. Raises UnknownShape."""
    for record in delivery.get("Records") or ():
        if record.get("eventSource") != "aws:sqs":
            raise UnknownShape("neither a batch of SQS messages nor of Kafka records")
        yield record["messageId"], _out_of_sns(_value(record["body"].encode()))
    if not delivery.get("Records"):
        raise UnknownShape("a batch without records")


def kafka(delivery: Mapping[str, Any]) -> Iterator[Any]:
    """The event of each record, partition by partition."""
    for records in delivery["records"].values():
        for record in records:
            yield _value(_decoded(record.get("value")))


def pubsub(kind: str, source: str, event_id: str, data: Any) -> Any:
    """The event inside a CloudEvent of Google's. Raises UnknownShape."""
    if kind != PUBSUB_MESSAGE or not isinstance(data, dict) or not isinstance(data.get("message"), dict):
        raise UnknownShape(f"not a message of Pub/Sub: {kind} {event_id} of {source}")
    return _value(_decoded(data["message"].get("data")))


def _out_of_sns(body: Any) -> Any:
    wrapped = isinstance(body, dict) and body.get("Type") == "Notification" and isinstance(body.get("Message"), str)
    return _value(body["Message"].encode()) if wrapped else body


def _decoded(text: Any) -> bytes:
    try:
        return b64decode(text or "")
    except (binascii.Error, TypeError, ValueError):
        return str(text).encode()


def _value(content: bytes) -> Any:
    """The JSON value; its text where it is none, which becomes a dead letter."""
    try:
        return from_json(content)
    except ValueError:
        return content.decode(errors="replace")
