"""The state of each mail, one document per event, and the list of those that wait for another try.

A mail goes `sending` → `sent`; or → `skipped` when there is nothing to send any more, `suppressed` when it may not be
sent; or → `waiting` → `sending` …; or → `failed`. `sending` is a lease: whoever finds it expired may take the mail
over. Right before a provider could take the mail, that is written (`handover`): whoever finds it in a mail that they
take over does not know whether it was taken. No address and no token is kept.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, get_args

from omnify_email.catalogue import FirstKind, LetterKind, NoticeKind
from omnify_email.records import (
    Entry,
    FirstMail,
    Handover,
    LetterMail,
    MailRecord,
    MessageRecord,
    MessageStatus,
    Waiting,
)
from omnify_email.timeline import delivery_of, happened
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Documents, Emit
from omnify_shared.events import EventData
from omnify_shared.events.outbox import Outbox
from omnify_shared.exports import MOST
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.indexes import Entry as IndexEntry
from omnify_shared.indexes import Index
from omnify_shared.state import StateStore

LISTED = point("email.send.listed")
INTENDED = point("email.send.intended")

RETENTION = timedelta(days=30)
LEASE = timedelta(seconds=12)  # longer than a handler may run
TRIES = 12
SHARDS = 8

FINAL: frozenset[MessageStatus] = frozenset({"sent", "skipped", "suppressed"})
LISTS: tuple[str, ...] = ("waiting", "waiting-letter", "waiting-message")


class InHand(Exception):
    """Another delivery is sending this mail; its lease ends at `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__("the mail is being sent")
        self.until = until


class TakenOver(Exception):
    """The mail is not ours to send any more; `mail` is how it stands now."""

    def __init__(self, mail: MailRecord) -> None:
        super().__init__("the mail was taken over")
        self.mail = mail


class MailStore:
    """Reads and writes mails and the waiting lists. Each release wrote its kinds to documents of their own name."""

    def __init__(self, state: StateStore, outbox: Outbox | None = None) -> None:
        self._first = Documents(state, "mail", FirstMail, ttl=RETENTION)
        self._letters = Documents(state, "letter", LetterMail, ttl=RETENTION)
        self._messages = Documents(state, "message", MessageRecord, ttl=RETENTION, outbox=outbox)
        self._about = Index(state, "mails-about", ttl=2 * RETENTION)
        self._lists = [Documents(state, name, Waiting) for name in LISTS]

    async def get(self, event_id: str) -> MailRecord | None:
        """The mail of an event or of a request, or None."""
        if is_message_id(event_id):
            return await self._messages.get(event_id)
        return await self._letters.get(event_id) or await self._first.get(event_id)

    async def list_about(self, subject: str, at: datetime, event_id: str) -> None:
        """Lists the mail of an event under a user or an organisation, by the month of the event."""
        await self._about.add(_scope(subject, at), event_id)

    async def about(self, subject: str) -> list[MailRecord]:
        """The mails about a user or an organisation that followed events, newest first, at most MOST."""
        found: list[MailRecord] = []
        for scope in _scopes(subject):
            cursor = None
            while len(found) < MOST:
                page = await self._about.list(scope, cursor=cursor, limit=200)
                mails = [await self.get(entry.id) for entry in page.items]
                found += [mail for mail in mails if mail]
                cursor = page.next_cursor
                if cursor is None:
                    break
        return found[:MOST]

    async def erase(self, subject: str) -> int:
        """Deletes a part of the mails about a user or an organisation; how many those were, 0 when none are left."""

        async def drop(entry: IndexEntry) -> None:
            await self.unlist(entry.id)
            await self._letters.delete(entry.id)
            await self._first.delete(entry.id)

        for scope in _scopes(subject):
            if count := await self._about.erase(scope, drop):
                return count
        return 0

    async def drop_message(self, event_id: str) -> None:
        """Deletes a mail that was asked for; one that waits is not sent."""
        await self.unlist(event_id)
        await self._messages.delete(event_id)

    async def messages(self, ids: Iterable[str]) -> dict[str, MessageRecord]:
        """Those among the mails that were asked for which have been in hand."""
        return {key[0]: record for key, record in (await self._messages.get_many((one,) for one in ids)).items()}

    async def take(self, event_id: str, kind: str, reference: str, **more: str) -> MailRecord:
        """Takes the mail in hand, unless it is at its end or waits for its time; the caller looks at the status.

        Raises: InHand while another delivery holds the lease; SidecarUnavailable.
        """
        owner, now = new_id(), clock.now()
        first = self._model(kind)(
            event_id=event_id,
            kind=kind,
            reference=reference,
            status="sending",
            owner=owner,
            attempts=0,
            until=now,
            recipient_hash=None,
            provider=None,
            reason=None,
            created_at=now,
            updated_at=now,
            **more,
        )

        def lease(record: MailRecord, _: Emit) -> MailRecord:
            if record.status in FINAL or (record.status == "waiting" and record.until > clock.now()):
                return record
            if record.status == "sending" and record.until > clock.now():
                raise InHand(record.until)
            taken = {"status": "sending", "owner": owner, "attempts": record.attempts + 1, "until": now + LEASE}
            return record.model_copy(update={**taken, "updated_at": now})

        mail: MailRecord = (await self._documents(kind).upsert(event_id, initial=lambda: first, change=lease)).value
        return mail

    async def end(self, mail: MailRecord, status: MessageStatus, *events: EventData, **known: str | None) -> MailRecord:
        """Writes how a try ended, unless the mail was taken over in the meantime."""
        return await self._write(mail, events, status=status, until=clock.now(), handover=None, **known)

    async def hand_over(self, mail: MailRecord, provider: str, until: datetime, recipient_key: str) -> None:
        """Writes that a provider is about to get the mail, and may tell of it until `until`; the lease begins anew.

        Raises: TakenOver; SidecarUnavailable.
        """
        now = clock.now()
        handover = Handover(provider=provider, attempt=mail.attempts, at=now, until=until)
        written = await self._write(mail, (), handover=handover, until=now + LEASE, recipient_key=recipient_key)
        if written.owner != mail.owner:
            raise TakenOver(written)
        reach(INTENDED)

    async def postpone(self, mail: MailRecord, due: datetime, reason: str, **known: object) -> MailRecord:
        """Lets the mail wait. Listed first: a crash in between leaves an entry too many, never a forgotten mail."""
        await self.list_waiting(mail.event_id, mail.kind, due)
        reach(LISTED)
        return await self._write(mail, (), status="waiting", until=due, reason=reason, **known)

    async def note(
        self, event_id: str, entry: Entry, emitting: Callable[[MailRecord, MailRecord], Sequence[EventData]], by: str
    ) -> MailRecord | None:
        """Adds what happened to a mail, once per id, in whatever order it is told. None for an unknown mail.

        A mail that the provider tells of was taken by it: one that was not known to be sent is, and leaves the hands
        of whoever is sending it. `emitting(before, after)` names what to publish.
        """

        def change(record: MailRecord, emit: Emit) -> MailRecord:
            timeline = happened(record.timeline, entry)
            if timeline is record.timeline:
                return record
            news: dict[str, object] = {"timeline": timeline, "delivery": delivery_of(timeline)}
            if record.status not in FINAL:
                news |= {"status": "sent", "owner": entry.id, "provider": by, "reason": None, "handover": None}
            after = record.model_copy(update={**news, "updated_at": clock.now()})
            for event in emitting(record, after):
                emit(event)
            return after

        documents: list[Documents[Any]] = [self._messages] if is_message_id(event_id) else [self._letters, self._first]
        for one in documents:
            with suppress(Missing):
                noted: MailRecord = (await one.update(event_id, change=change)).value
                return noted
        return None

    async def list_waiting(self, event_id: str, kind: str, due: datetime) -> None:
        """Puts a mail on the waiting list."""
        await self._list(self._list_of(kind), shard_of(event_id), {event_id: due})

    async def list_many(self, ids: Sequence[str], kind: str, due: datetime) -> None:
        """Puts mails on the waiting list, shard by shard."""
        shards: dict[str, dict[str, datetime]] = {}
        for event_id in ids:
            shards.setdefault(shard_of(event_id), {})[event_id] = due
        for shard, wanted in shards.items():
            await self._list(self._list_of(kind), shard, wanted)

    async def unlist(self, event_id: str) -> None:
        """Takes a mail off the waiting list."""
        lists = self._lists[2:] if is_message_id(event_id) else self._lists[:2]
        for shards in lists:
            with suppress(Missing):
                await shards.update(shard_of(event_id), change=_relisting(event_id, {}))

    async def due(self) -> tuple[list[str], int]:
        """The events whose mails are due, longest first, and how many mails wait in all."""
        now, due, waiting = clock.now(), [], 0
        for lists in self._lists:
            found = (await lists.get_many((str(number),) for number in range(SHARDS))).values()
            due += [(at, event_id) for shard in found for event_id, at in shard.due.items() if at <= now]
            waiting += sum(len(shard.due) for shard in found)
        return [event_id for _, event_id in sorted(due)], waiting

    @staticmethod
    async def _list(lists: Documents[Waiting], shard: str, due: dict[str, datetime]) -> None:
        def change(listed: Waiting, _: Emit) -> Waiting:
            after = listed.due | due
            return listed if after == listed.due else Waiting(due=after)

        await lists.upsert(shard, initial=lambda: Waiting(due={}), change=change)

    def _list_of(self, kind: str) -> Documents[Waiting]:
        return self._lists[0 if is_first(kind) else 1 if is_letter(kind) else 2]

    def _documents(self, kind: str) -> Documents[Any]:
        if is_first(kind):
            return self._first
        return self._letters if is_letter(kind) else self._messages

    @staticmethod
    def _model(kind: str) -> Any:
        if is_first(kind):
            return FirstMail
        return LetterMail if is_letter(kind) else MessageRecord

    async def _write(self, mail: MailRecord, events: Sequence[EventData], **values: object) -> MailRecord:
        def change(record: MailRecord, emit: Emit) -> MailRecord:
            if record.owner != mail.owner:
                return record
            for event in events:
                emit(event)
            return record.model_copy(update={**values, "updated_at": clock.now()})

        written: MailRecord = (await self._documents(mail.kind).update(mail.event_id, change=change)).value
        return written


def _scopes(subject: str) -> list[str]:
    """Those that may still have entries, the newest first."""
    days = (clock.now() - timedelta(days=days) for days in range(-1, 62, 15))
    return list(dict.fromkeys(_scope(subject, day) for day in days))


def _scope(subject: str, at: datetime) -> str:
    return f"{subject}.{at:%Y-%m}"


def is_first(kind: str) -> bool:
    """Whether the first release knows that kind of mail."""
    return kind in get_args(FirstKind)


def is_letter(kind: str) -> bool:
    """Whether it is a letter of auth's, or news of another service."""
    return kind in get_args(LetterKind) or kind in get_args(NoticeKind)


def message_id(request_id: str, number: int) -> str:
    """The id of one mail of a request."""
    return f"{request_id}.{number:02}"


def is_message_id(event_id: str) -> bool:
    """Whether a mail was asked for by an organisation; ids of events hold no dot."""
    return "." in event_id


def _relisting(event_id: str, add: dict[str, datetime]) -> Callable[[Waiting, Emit], Waiting]:
    def change(shard: Waiting, _: Emit) -> Waiting:
        due = {name: at for name, at in shard.due.items() if name != event_id} | add
        return shard if due == shard.due else Waiting(due=due)

    return change


def shard_of(event_id: str) -> str:
    """Where a mail waits; a handful of shards keeps a mail server's outage from making one contended document."""
    return str(hashlib.sha256(event_id.encode()).digest()[0] % SHARDS)
