"""Mails that an organisation asks for, as it asks and as it sees them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from omnify_email.catalogue import Category, Locale
from omnify_email.records import Happening, MessageRequest
from omnify_email.schemas.types import Address, Name, Values
from omnify_email.service.messages import MOST_RECIPIENTS, Found, Message


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RecipientIn(_In):
    """Whom to write to; `values` are theirs alone and go before those of all."""

    email: Address
    name: Name | None = None
    values: Values = {}


class SenderIn(_In):
    """From whom: an address at a verified domain of the organisation."""

    email: Address
    name: Name


class MessagesIn(_In):
    """Mails to ask for, one for each recipient."""

    template: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
    locale: Locale = "en"
    values: Values = {}
    recipients: Annotated[list[RecipientIn], Field(min_length=1, max_length=MOST_RECIPIENTS)]
    sender: SenderIn | None = None


class RequestOut(BaseModel):
    """A request that was taken on."""

    request_id: str
    template: str
    template_version: int
    category: Category
    count: int
    resend_of: str | None
    created_at: datetime

    @classmethod
    def of(cls, request: MessageRequest) -> "RequestOut":
        """From the record."""
        return cls(**request.model_dump(include=set(cls.model_fields) - {"count"}), count=len(request.keys))


class MessageOut(BaseModel):
    """One mail. `to` is masked; `status` says what became of it, or how far it is."""

    message_id: str
    request_id: str
    template: str
    category: Category
    to: str
    status: str
    reason: str | None
    attempts: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, message: Message) -> "MessageOut":
        """From the request and the mail's record."""
        request, record = message.request, message.record
        return cls(
            message_id=message.id,
            request_id=request.request_id,
            template=request.template,
            category=request.category,
            to=request.shown[message.number],
            status=message.status,
            reason=record.reason if record else None,
            attempts=record.attempts if record else 0,
            created_at=request.created_at,
            updated_at=record.updated_at if record else request.created_at,
        )


class HappeningOut(BaseModel):
    """Something that happened to a mail after it was sent."""

    at: datetime
    what: Happening
    detail: str | None


class MessageDetailOut(MessageOut):
    """One mail with its timeline, and its text with the token of its link masked."""

    provider: str | None
    text: str
    timeline: list[HappeningOut]

    @classmethod
    def whole(cls, message: Message, text: str) -> "MessageDetailOut":
        """From the request, the mail's record and its text."""
        record = message.record
        entries = record.timeline if record else ()
        timeline = [HappeningOut(at=entry.at, what=entry.what, detail=entry.detail) for entry in entries]
        provider = record.provider if record else None
        return cls(**MessageOut.of(message).model_dump(), provider=provider, text=text, timeline=timeline)


class MessagesOut(BaseModel):
    """A page of mails, the newest requests first."""

    messages: list[MessageOut]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Found) -> "MessagesOut":
        """From a page of the search."""
        return cls(messages=[MessageOut.of(one) for one in found.items], next_cursor=found.next_cursor)


class RequestMessagesOut(RequestOut):
    """A request with its mails."""

    messages: list[MessageOut]
