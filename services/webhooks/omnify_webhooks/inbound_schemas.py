"""Bodies of what comes in from other platforms."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field

from omnify_shared.indexes import Page
from omnify_webhooks.records import Connection, Receipt
from omnify_webhooks.schemas import Input, Output, Text

Provider = Literal["gohighlevel", "hubspot", "klaviyo", "meta", "sendgrid", "shopify", "standard", "stripe", "tiktok"]
SecretText = Annotated[str, Field(min_length=1, max_length=4096)]
Options = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(min_length=1, max_length=2048)]],
    Field(max_length=8),
]


class ConnectionIn(Input):
    """`secret`: what the provider signs with, or the public key that its signatures are checked with."""

    provider: Provider
    secret: SecretText
    description: Text = ""
    options: Options = Field(default_factory=dict)
    verify_token: Annotated[str, Field(min_length=8, max_length=256)] | None = None
    """Of Meta alone: what its handshake has to show."""

    def values(self) -> dict[str, Any]:
        """As the book takes them."""
        return self.model_dump()


class ConnectionChangeIn(Input):
    """What is left out stays as it is."""

    description: Text | None = None
    options: Options | None = None
    enabled: bool | None = None


class SecretIn(Input):
    secret: SecretText
    overlap: bool = True
    """Whether the present secret counts beside the new one for a day; `false` after a leak."""


class ConnectionOut(Output):
    """`url` is what the other platform is given."""

    connection_id: str
    url: str
    provider: str
    description: str
    options: dict[str, str]
    enabled: bool
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, connection: Connection, public_url: str) -> Self:
        """From the record, without what is secret."""
        shown = connection.model_dump(include=set(cls.model_fields))
        path = f"/api/webhooks/in/{connection.provider}/{connection.connection_id}"
        return cls(**shown, url=public_url.rstrip("/") + path)


class ConnectionsOut(Output):
    connections: tuple[ConnectionOut, ...]


class TakenOut(Output):
    """`repeated`: it came before, and nothing more was done."""

    status: Literal["accepted", "repeated"]


class ReceivedOut(Output):
    receipt_id: str
    event_type: str
    size: int
    received_at: datetime


class ReceiptPage(Output):
    items: tuple[ReceivedOut, ...]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page) -> Self:
        """From the list."""
        items = [
            ReceivedOut(
                receipt_id=entry.id,
                event_type=str(entry.summary["type"]),
                size=int(str(entry.summary["size"])),
                received_at=datetime.fromtimestamp(float(str(entry.summary["at"]))).astimezone(),
            )
            for entry in page.items
        ]
        return cls(items=tuple(items), next_cursor=page.next_cursor)


class ReceiptOut(Output):
    """`body` is text, or base64 of what is no UTF-8, as `encoding` says."""

    receipt_id: str
    event_type: str
    provider_event_id: str | None
    headers: dict[str, str]
    body: str
    encoding: Literal["utf-8", "base64"]
    size: int
    received_at: datetime
    replays: int

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        """From the record."""
        return cls.model_validate(receipt, from_attributes=True)


class ReplayRangeIn(Input):
    """From `since` on and before `until`."""

    since: AwareDatetime
    until: AwareDatetime
    cursor: Annotated[str, Field(max_length=20)] | None = None
