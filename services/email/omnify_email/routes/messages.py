"""`/api/email/messages`: mails that an organisation asks for, and what became of them."""

from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, status

from omnify_email.deps import Publisher, ServiceDep, Viewer
from omnify_email.schemas.messages import (
    MessageDetailOut,
    MessageOut,
    MessagesIn,
    MessagesOut,
    RequestMessagesOut,
    RequestOut,
)
from omnify_email.schemas.queries import MessagesQuery
from omnify_email.service.messages import Filters, Wanted
from omnify_email.service.sealed import Private, Recipient
from omnify_shared.idempotency import MAX_KEY, IdempotentRoute

router = APIRouter(prefix="/api/email", tags=["messages"], route_class=IdempotentRoute)
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=MAX_KEY, include_in_schema=False)]
MailId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}\.[0-9]{2}$")]
RequestId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


@router.post("/messages", status_code=status.HTTP_202_ACCEPTED)
async def ask(form: MessagesIn, principal: Publisher, service: ServiceDep, key: Key = None) -> RequestOut:
    """Has mails sent, one to each recipient. Whoever turned the category off, complained or bounced gets none.

    Once this answers, the mails can't be forgotten; `GET /api/email/requests/{id}` says how they stand.
    """
    sender = (form.sender.email, form.sender.name) if form.sender else None
    recipients = tuple(Recipient(email=one.email, name=one.name, values=one.values) for one in form.recipients)
    wanted = Wanted(form.template, form.locale, Private(values=form.values, recipients=recipients), sender)
    return RequestOut.of(await service.messages.ask(principal, wanted, _key(key, form.model_dump_json())))


@router.get("/messages")
async def search(principal: Viewer, service: ServiceDep, query: Annotated[MessagesQuery, Query()]) -> MessagesOut:
    """The organisation's mails of the last 30 days that fit, newest requests first; days are in UTC."""
    filters = Filters(query.status, query.to, query.category, query.since, query.until)
    return MessagesOut.of(await service.messages.search(principal.organization_id, filters, query.cursor, query.limit))


@router.get("/messages/{mail_id}")
async def one(mail_id: MailId, principal: Viewer, service: ServiceDep) -> MessageDetailOut:
    """One mail with its timeline and its text."""
    return MessageDetailOut.whole(*await service.messages.one(principal.organization_id, mail_id))


@router.post("/messages/{mail_id}/resend", status_code=status.HTTP_202_ACCEPTED)
async def resend(mail_id: MailId, principal: Publisher, service: ServiceDep, key: Key = None) -> RequestOut:
    """Has the same mail sent to the same recipient once more; 409 while it is under way."""
    return RequestOut.of(await service.messages.resend(principal, mail_id, _key(key, "")))


@router.get("/requests/{mail_request_id}")
async def request(mail_request_id: RequestId, principal: Viewer, service: ServiceDep) -> RequestMessagesOut:
    """A request and how each of its mails stands."""
    found = await service.messages.request(principal.organization_id, mail_request_id)
    messages = [MessageOut.of(message) for message in found]
    return RequestMessagesOut(**RequestOut.of(found[0].request).model_dump(), messages=messages)


def _key(key: str | None, body: str) -> str | None:
    """What makes a repetition the same request, also where the first one's process died before it could answer."""
    return f"{key} {sha256(body.encode()).hexdigest()}" if key else None
