"""Events of the webhooks service."""

from datetime import datetime
from typing import Literal

from omnify_shared.erasure import ErasureReceipt
from omnify_shared.events import EventData
from omnify_webhooks.public_events import PUBLIC

ACTIVITY = "webhooks-activity"
"""The topic of what other platforms send: on `webhooks-events` each would reach every reader of those, for nothing."""


class EndpointDisabled(EventData, type="omnify.webhooks.endpoint.disabled.v1"):
    """An endpoint gets nothing more: it answered 410 (`gone`), or for days with failures alone (`failing`).

    `user_id` made the endpoint, and is to be told; empty once they were erased. `host` is that of its URL, of which the
    rest may hold secrets. `subject` is the organisation's id.
    """

    organization_id: str
    endpoint_id: str
    user_id: str
    reason: Literal["gone", "failing"]
    host: str


class EventReceived(EventData, type="omnify.webhooks.event.received.v1", topic=ACTIVITY):
    """Another platform sent something, signed as the connection wants it. `subject` is the receipt's id.

    What it sent is not in the event: whoever may see it asks for `receipt_id`. `provider_event_type` is the name that
    the provider gives it, `batch` for several; `replays` counts how often this event was made again on demand.
    """

    organization_id: str
    connection_id: str
    provider: str
    receipt_id: str
    provider_event_type: str
    provider_event_id: str | None
    size: int
    received_at: datetime
    replays: int


class ErasureCompleted(ErasureReceipt, type="omnify.webhooks.erasure.completed.v1"):
    """Webhooks has deleted what it held of an organisation, or forgotten what a user made. `subject` is the erasure's
    id."""


EVENTS = (EndpointDisabled, EventReceived, ErasureCompleted)
READS = tuple(PUBLIC.values())
