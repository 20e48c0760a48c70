"""What bodies are made of. Inputs refuse unknown fields; outputs have no defaults."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from omnify_webhooks.addresses import LONGEST_URL
from omnify_webhooks.records import Attempt, Delivery, DeliveryStatus, Endpoint
from omnify_webhooks.service.replays import Sent


def _plain(value: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in value):
        raise ValueError("must have no control characters")
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    model_config = ConfigDict(frozen=True)


Text = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
Url = Annotated[str, Field(min_length=1, max_length=LONGEST_URL, examples=["https://hooks.example.com/omnify"])]
EventTypes = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=128)], ...],
    Field(min_length=1, max_length=100, examples=[["omnify.analytics.import.completed.v1"]]),
    AfterValidator(_distinct),
]


class EventTypeOut(Output):
    event_type: str
    description: str


class EventTypesOut(Output):
    event_types: tuple[EventTypeOut, ...]


class EndpointIn(Input):
    url: Url
    event_types: EventTypes
    description: Text = ""


class EndpointChangeIn(Input):
    """What is left out stays as it is."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: Text | None = None
    enabled: bool | None = None


class EndpointOut(Output):
    """`disabled_reason`: `gone` (it answered 410), `failing` (days of failures alone) or `switched off`."""

    endpoint_id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """From the record."""
        return cls.model_validate(endpoint, from_attributes=True)


class EndpointsOut(Output):
    endpoints: tuple[EndpointOut, ...]


class EndpointSecretOut(EndpointOut):
    """`secret`, `whsec_` and base64, is what the receiver checks signatures with."""

    secret: str

    @classmethod
    def showing(cls, endpoint: Endpoint, secret: str) -> Self:
        """With its newest secret."""
        return cls(**EndpointOut.of(endpoint).model_dump(), secret=secret)


class RotateIn(Input):
    overlap: bool = True
    """Whether the present secret signs beside the new one for a day; `false` after a leak."""


class MessageOut(Output):
    message_id: str


class AttemptOut(Output):
    """`response` is at most 16 KiB of the answer's body; `error` says why there was no answer."""

    at: datetime
    trigger: str
    status: int | None
    error: str | None
    seconds: float
    response: str | None
    headers: dict[str, str]

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """From the record."""
        return cls.model_validate(attempt, from_attributes=True)


class SentOut(Output):
    """`attempts` counts all of them; `next_at` is when the next is due."""

    message_id: str
    event_type: str
    sent_at: datetime
    status: DeliveryStatus
    attempts: int
    next_at: datetime | None
    reason: str | None

    @classmethod
    def of(cls, sent: Sent) -> Self:
        """From the list."""
        known = sent.delivery
        return cls(
            message_id=sent.message_id,
            event_type=sent.event_type,
            sent_at=datetime.fromtimestamp(sent.at).astimezone(),
            status=known.status if known else "waiting",
            attempts=known.total if known else 0,
            next_at=known.next_at if known else None,
            reason=known.reason if known else None,
        )


class SentPage(Output):
    items: tuple[SentOut, ...]
    next_cursor: str | None


class DeliveryOut(Output):
    message_id: str
    event_type: str
    payload: str
    status: DeliveryStatus
    next_at: datetime | None
    reason: str | None
    attempts: tuple[AttemptOut, ...]
    """The latest 20, oldest first."""


class ReplayIn(Input):
    """`failed`: what was given up or dropped. `missing`: what the endpoint wants and was never tried."""

    which: Literal["failed", "missing"]
    since: AwareDatetime
    cursor: Annotated[str, Field(max_length=20)] | None = None


class ReplayOut(Output):
    """`next_cursor` is for the next request when there is more than one request may do."""

    replayed: int
    next_cursor: str | None


class ReplayedOut(Output):
    message_id: str
    status: DeliveryStatus

    @classmethod
    def of(cls, message_id: str, delivery: Delivery) -> Self:
        """From the record."""
        return cls(message_id=message_id, status=delivery.status)
