"""Events of the webhooks service. Topic: `webhooks-events`."""

from typing import Literal

from omnify_shared.erasure import ErasureReceipt
from omnify_shared.events import EventData
from omnify_webhooks.public_events import PUBLIC


class EndpointDisabled(EventData, type="omnify.webhooks.endpoint.disabled.v1"):
    """An endpoint gets nothing more: it answered 410 (`gone`), or for days with failures alone (`failing`).

    `user_id` made the endpoint, and is to be told. `subject` is the organisation's id.
    """

    organization_id: str
    endpoint_id: str
    user_id: str
    reason: Literal["gone", "failing"]


class ErasureCompleted(ErasureReceipt, type="omnify.webhooks.erasure.completed.v1"):
    """Webhooks has deleted what it held of an organisation. `subject` is the erasure's id."""


EVENTS = (EndpointDisabled, ErasureCompleted)
READS = tuple(PUBLIC.values())
