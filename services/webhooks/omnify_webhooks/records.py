"""What the webhooks service stores. Times are UTC."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from omnify_shared.vault import Sealed

Trigger = Literal["event", "replay", "test"]
DeliveryStatus = Literal["waiting", "delivered", "failed", "cancelled"]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Secret(Record):
    """A sealed secret; from `ends_at` on it counts no more."""

    sealed: Sealed
    made_at: datetime
    ends_at: datetime | None


class Once(Record):
    """The `Idempotency-Key` that something was made with: digests of the key and of the request."""

    key: str
    request: str
    at: datetime


class Endpoint(Record):
    """Where an organisation wants some types of event sent. The newest secret is the first."""

    endpoint_id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    secrets: tuple[Secret, ...]
    created_by: str
    created_at: datetime
    updated_at: datetime
    once: Once | None


class Endpoints(Record):
    """All endpoints of an organisation, in the order in which they were made."""

    endpoints: tuple[Endpoint, ...] = ()


class Health(Record):
    """How an endpoint answers: failures in a row, since when there are only such, and until when it rests."""

    failures: int = 0
    failing_since: datetime | None = None
    delivered_at: datetime | None = None
    rests_until: datetime | None = None


class Message(Record):
    """What is sent, byte for byte the same at every attempt and to every endpoint. `payload` is JSON text."""

    message_id: str
    organization_id: str
    event_type: str
    payload: str
    created_at: datetime


class Attempt(Record):
    """One request and its answer. `error` says why there was none; `response` is at most 16 KiB of its body."""

    at: datetime
    trigger: Trigger
    status: int | None
    error: str | None
    seconds: float
    response: str | None
    headers: dict[str, str]


class Delivery(Record):
    """A message on its way to one endpoint. `step` counts the attempts of the ladder that is being climbed."""

    status: DeliveryStatus
    trigger: Trigger
    step: int
    attempts: tuple[Attempt, ...]
    total: int
    next_at: datetime | None
    reason: str | None
    created_at: datetime
    updated_at: datetime


class Due(Record):
    """Deliveries that are due in one short span of time: unix seconds, by `organisation/endpoint/message/seconds`."""

    entries: dict[str, float] = {}


class Parked(Record):
    """Messages that wait for an endpoint which is down. A page that is `closed` takes nothing more."""

    message_ids: tuple[str, ...] = ()
    closed: bool = False


class DueCursor(Record):
    """The first span that may still hold something."""

    span: int


class Connection(Record):
    """Where another platform sends its events for an organisation. The newest secret is the first."""

    connection_id: str
    organization_id: str
    provider: str
    description: str
    options: dict[str, str]
    enabled: bool
    secrets: tuple[Secret, ...]
    verify_token: Secret | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class Connections(Record):
    """The ids of an organisation's connections, in the order in which they were made, and of those taken away, of which
    events may still be kept."""

    connection_ids: tuple[str, ...] = ()
    former_ids: tuple[str, ...] = ()


class Receipt(Record):
    """One request of another platform, as it came. `body` is text, or base64 of what is no UTF-8."""

    receipt_id: str
    connection_id: str
    organization_id: str
    provider: str
    event_type: str
    provider_event_id: str | None
    headers: dict[str, str]
    body: str
    encoding: Literal["utf-8", "base64"]
    size: int
    received_at: datetime
    replays: int
