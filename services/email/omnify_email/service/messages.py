"""Mails that an organisation asks for: taken on durably, sent by whichever replica comes to them."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import NAMESPACE_URL, uuid5

from omnify_email.addresses import AddressKeys, masked
from omnify_email.catalogue import CHOSEN, TEMPLATES, Category, Field, Locale, Template
from omnify_email.errors import (
    MessageTooLarge,
    MessageUnderWay,
    PermanentError,
    UnknownMessage,
    UnknownRequest,
    UnknownTemplate,
    UnusableValues,
)
from omnify_email.records import MessageRecord, MessageRequest, Sender
from omnify_email.service.contents import rendered
from omnify_email.service.domains import Domains
from omnify_email.service.sealed import Private, Sealing
from omnify_email.settings import EmailSettings
from omnify_email.store import Store, scope_of
from omnify_email.store.mails import RETENTION, message_id
from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists
from omnify_shared.faults import point, reach
from omnify_shared.identity import Principal
from omnify_shared.ids import new_id
from omnify_shared.problems import BadRequest
from omnify_shared.ratelimits import RateLimits

WRITTEN = point("email.request.written")
LISTED = point("email.request.listed")
QUEUED = point("email.request.queued")

MOST_RECIPIENTS = 50
LARGEST = 10 * 1024 * 1024  # bytes of one mail
HOUR = timedelta(hours=1)
_REQUESTS = uuid5(NAMESPACE_URL, "https://omnify.dev/email/requests")
_LINK = re.compile(r"https://[A-Za-z0-9][^\s<>\"'`{}|\\^]*")
_PLACEHOLDER = "https://omnify.example/unsubscribe/***"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an organisation asks for; `private` names the recipients."""

    template: str
    locale: Locale
    private: Private
    sender: tuple[str, str] | None = None
    resend_of: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One mail of a request; `record` is None until it was first in hand."""

    request: MessageRequest
    number: int
    record: MessageRecord | None

    @property
    def id(self) -> str:
        """Its id."""
        return message_id(self.request.request_id, self.number)

    @property
    def status(self) -> str:
        """How it stands: what became of it after it was sent, or how far it is before."""
        if self.record is None:
            return "queued"
        return self.record.delivery or self.record.status


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search looks for; days are included."""

    status: str | None = None
    to: str | None = None
    category: Category | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search."""

    items: list[Message]
    next_cursor: str | None


class Messages:
    """The requests of organisations and their mails."""

    def __init__(
        self,
        settings: EmailSettings,
        store: Store,
        sealing: Sealing,
        keys: AddressKeys,
        domains: Domains,
        limits: RateLimits,
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._sealing = sealing
        self._keys = keys
        self._domains = domains
        self._limits = limits
        self._wake = wake

    async def ask(self, principal: Principal, wanted: Wanted, key: str | None) -> MessageRequest:
        """Takes mails on: once this returns they will be sent. A repetition with the same `key` is the same request.

        Raises UnknownTemplate, UnusableValues, MessageTooLarge, DomainNotVerified, TooManyRequests.
        """
        organization_id = principal.organization_id
        template = TEMPLATES.get(wanted.template)
        if template is None or not template.by_request:
            raise UnknownTemplate(f"no template {wanted.template!r} for organisations")
        sender = await self._domains.sender(organization_id, *wanted.sender) if wanted.sender else None
        request_id = str(uuid5(_REQUESTS, f"{organization_id}/{principal.user_id}/{key}")) if key else new_id()
        request = await self._store.requests.get(request_id)
        if request is None:
            request = await self._made(request_id, principal, template, wanted, sender)
            check(request, wanted.private)
            count = len(wanted.private.recipients)
            limit = self._settings.organization_rate
            await self._limits.hit("email-messages", organization_id, limit=limit, window=HOUR, count=count)
            with suppress(AlreadyExists):
                await self._store.requests.create(request_id, value=request)
            reach(WRITTEN)
        await self._queue(request)
        return request

    async def _made(
        self, request_id: str, principal: Principal, template: Template, wanted: Wanted, sender: Sender | None
    ) -> MessageRequest:
        addresses = [one.email for one in wanted.private.recipients]
        return MessageRequest(
            request_id=request_id,
            organization_id=principal.organization_id,
            requested_by=principal.user_id,
            template=template.name,
            template_version=template.version,
            category=template.category,
            locale=wanted.locale,
            keys=tuple([await self._keys.of(address) for address in addresses]),
            shown=tuple(masked(address) for address in addresses),
            sealed=await self._sealing.seal(principal.organization_id, request_id, wanted.private),
            sender=sender,
            resend_of=wanted.resend_of,
            created_at=clock.now(),
        )

    async def _queue(self, request: MessageRequest) -> None:
        """Every step may be repeated: a mail that was sent is found sent."""
        await self._store.request_list.add(
            scope_of(request.organization_id, request.created_at.date()), request.request_id
        )
        reach(LISTED)
        ids = [message_id(request.request_id, number) for number in range(len(request.keys))]
        await self._store.mails.list_many(ids, request.template, clock.now())
        reach(QUEUED)
        self._wake()

    async def request(self, organization_id: str, request_id: str) -> list[Message]:
        """The mails of a request. Raises UnknownRequest."""
        found = await self._store.requests.get(request_id)
        if found is None or found.organization_id != organization_id:
            raise UnknownRequest("no such request")
        return await self._messages([found])

    async def one(self, organization_id: str, message: str) -> tuple[Message, str]:
        """A mail and its text, with the token of its link masked. Raises UnknownMessage."""
        found = await self._one(organization_id, message)
        private = await self._sealing.open(found.request)
        link = _PLACEHOLDER if found.request.category in CHOSEN else ""
        values = private.values | private.recipients[found.number].values
        return found, rendered(found.request, values, link)[1]

    async def _one(self, organization_id: str, message: str) -> Message:
        request_id, _, number = message.partition(".")
        found = await self._store.requests.get(request_id) if request_id and number.isdecimal() else None
        if found is None or found.organization_id != organization_id or not int(number) < len(found.keys):
            raise UnknownMessage("no such message")
        return (await self._messages([found]))[int(number)]

    async def shown_to(self, organization_id: str, message: str) -> str:
        """The masked address that a mail went to; empty when that is kept no longer."""
        try:
            found = await self._one(organization_id, message)
        except UnknownMessage:
            return ""
        return found.request.shown[found.number]

    async def resend(self, principal: Principal, message: str, key: str | None) -> MessageRequest:
        """Asks for the same mail once more; it is judged and limited as any other.

        Raises UnknownMessage, MessageUnderWay, and what `ask` raises.
        """
        found = await self._one(principal.organization_id, message)
        if found.status in {"queued", "waiting", "sending"}:
            raise MessageUnderWay(f"its status is '{found.status}'")
        request = found.request
        private = await self._sealing.open(request)
        alone = private.model_copy(update={"recipients": (private.recipients[found.number],)})
        sender = (request.sender.address, request.sender.name) if request.sender else None
        wanted = Wanted(request.template, request.locale, alone, sender, resend_of=found.id)
        return await self.ask(principal, wanted, f"resend {found.id} {key}" if key else None)

    async def search(self, organization_id: str, filters: Filters, cursor: str | None, limit: int) -> Found:
        """At most `limit` of an organisation's mails, newest first; a page may be shorter and yet have a next one."""
        today = clock.now().date()
        last = min(filters.until or today, today)
        first = max(filters.since or date.min, today - RETENTION)
        to = await self._keys.of(filters.to) if filters.to else None
        day, inner, skipped = _parsed(cursor, last)
        items: list[Message] = []
        while day >= first and len(items) < limit:
            page = await self._store.request_list.list(scope_of(organization_id, day), cursor=inner or None, limit=1)
            for entry in page.items:
                found = await self._store.requests.get(entry.id)
                messages = await self._messages([found] if found else [])
                fitting = [one for one in messages if _fits(one, filters, to)][skipped:]
                room = limit - len(items)
                items += fitting[:room]
                if len(fitting) > room:
                    return Found(items, f"{day.toordinal()}:{inner}:{skipped + room}")
            skipped = 0
            day, inner = (day, page.next_cursor) if page.next_cursor else (day - timedelta(days=1), "")
        return Found(items, f"{day.toordinal()}:{inner}:0" if day >= first else None)

    async def _messages(self, requests: Sequence[MessageRequest]) -> list[Message]:
        ids = [message_id(one.request_id, number) for one in requests for number in range(len(one.keys))]
        records = await self._store.mails.messages(ids)
        return [
            Message(one, number, records.get(message_id(one.request_id, number)))
            for one in requests
            for number in range(len(one.keys))
        ]


def check(request: MessageRequest, private: Private) -> None:
    """Renders every mail before it is promised. Raises UnusableValues, MessageTooLarge."""
    fields = TEMPLATES[request.template].fields
    for recipient in private.recipients:
        values = private.values | recipient.values
        check_values(fields, values)
        try:
            subject, text, html = rendered(request, values, _PLACEHOLDER)
        except PermanentError as error:
            raise UnusableValues(str(error)) from error
        if len((subject + text + html).encode()) > LARGEST:
            raise MessageTooLarge(f"a message may have at most {LARGEST} bytes", limit_bytes=LARGEST)


def check_values(fields: Mapping[str, Field], values: Mapping[str, str]) -> None:
    """Whether values fit a template. Raises UnusableValues with the field's name."""
    unknown = sorted(values.keys() - fields.keys())
    if unknown:
        raise UnusableValues(f"{unknown[0][:80]}: not a value of this template")
    for name, field in fields.items():
        value = values.get(name, "")
        if field.required and not value.strip():
            raise UnusableValues(f"{name}: is missing")
        if len(value) > field.longest:
            raise UnusableValues(f"{name}: at most {field.longest} characters")
        if any(not one.isprintable() and not (field.lines and one in "\r\n\t") for one in value):
            raise UnusableValues(f"{name}: holds a control character")
        if field.link and value and not _LINK.fullmatch(value):
            raise UnusableValues(f"{name}: a link begins with https:// and holds no spaces, quotes or brackets")


def _fits(message: Message, filters: Filters, to: str | None) -> bool:
    return (
        (filters.status is None or message.status == filters.status)
        and (filters.category is None or message.request.category == filters.category)
        and (to is None or message.request.keys[message.number] == to)
    )


def _parsed(cursor: str | None, last: date) -> tuple[date, str, int]:
    if cursor is None:
        return last, "", 0
    try:
        day, inner, skipped = cursor.split(":")
        return min(last, date.fromordinal(int(day))), inner, max(0, int(skipped))
    except (ValueError, OverflowError):
        raise BadRequest("cursor: not one that this list gave out") from None
