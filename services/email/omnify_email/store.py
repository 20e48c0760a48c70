"""The state of each mail, one document per event, and the list of those that wait for another try.

A mail goes `sending` → `sent`; or → `skipped` when there is nothing to send any more; or → `waiting` → `sending` …;
or → `failed`. `sending` is a lease: whoever finds it expired may take the mail over. No address and no token is kept.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from pydantic import BaseModel

from omnify_email.rendering import FirstKind, Kind
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Documents, Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.indexes import Entry, Index
from omnify_shared.state import StateStore

LISTED = point("email.send.listed")

RETENTION = timedelta(days=30)
LEASE = timedelta(seconds=12)  # longer than a handler may run
TRIES = 12
SHARDS = 8

Status = Literal["sending", "sent", "skipped", "waiting", "failed"]
FINAL: frozenset[Status] = frozenset({"sent", "skipped"})


class MailRecord(BaseModel):
    """What is known of one mail. `reference` is the id that auth knows the reason by; times are UTC."""

    event_id: str
    kind: Kind
    reference: str
    status: Status
    owner: str
    attempts: int
    until: datetime
    recipient_hash: str | None
    provider: str | None
    reason: str | None
    created_at: datetime
    updated_at: datetime


class FirstMail(MailRecord):
    """A mail of the kinds that the first release knew: it reads these documents, and no other kind in them."""

    kind: FirstKind


class Waiting(BaseModel):
    """Mails of one shard and when they are due."""

    due: dict[str, datetime]


class InHand(Exception):
    """Another delivery is sending this mail; its lease ends at `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__("the mail is being sent")
        self.until = until


class MailStore:
    """Reads and writes mails and the waiting list."""

    def __init__(self, state: StateStore) -> None:
        self._first = Documents(state, "mail", FirstMail, ttl=RETENTION)
        self._letters = Documents(state, "letter", MailRecord, ttl=RETENTION)
        self._about = Index(state, "mails-about", ttl=2 * RETENTION)
        self._waiting = Documents(state, "waiting", Waiting)
        self._waiting_letters = Documents(state, "waiting-letter", Waiting)

    async def get(self, event_id: str) -> MailRecord | None:
        """The mail of an event, or None."""
        return await self._letters.get(event_id) or await self._first.get(event_id)

    async def note(self, subject: str, at: datetime, event_id: str) -> None:
        """Lists the mail of an event under a user or an organisation, by the month of the event."""
        await self._about.add(_scope(subject, at), event_id)

    async def erase(self, subject: str) -> int:
        """Deletes a part of the mails about a user or an organisation; how many those were, 0 when none are left."""

        async def drop(entry: Entry) -> None:
            await self.unlist(entry.id)
            await self._letters.delete(entry.id)
            await self._first.delete(entry.id)

        for scope in {_scope(subject, clock.now() - timedelta(days=days)) for days in range(-1, 62, 15)}:
            if count := await self._about.erase(scope, drop):
                return count
        return 0

    async def take(self, event_id: str, kind: Kind, reference: str) -> MailRecord:
        """Takes the mail in hand, unless it is at its end or waits for its time; the caller looks at the status.

        Raises: InHand while another delivery holds the lease; SidecarUnavailable.
        """
        owner, now = new_id(), clock.now()
        first = (FirstMail if is_first(kind) else MailRecord)(
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

    async def end(self, mail: MailRecord, status: Status, **known: str | None) -> MailRecord:
        """Writes how a try ended, unless the mail was taken over in the meantime."""
        return await self._write(mail, status=status, until=clock.now(), **known)

    async def postpone(self, mail: MailRecord, due: datetime, reason: str) -> MailRecord:
        """Lets the mail wait. Listed first: a crash in between leaves an entry too many, never a forgotten mail."""
        await self.list_waiting(mail.event_id, mail.kind, due)
        reach(LISTED)
        return await self._write(mail, status="waiting", until=due, reason=reason)

    async def list_waiting(self, event_id: str, kind: Kind, due: datetime) -> None:
        """Puts a mail on the waiting list."""
        shards = self._waiting if is_first(kind) else self._waiting_letters
        await shards.upsert(
            shard_of(event_id), initial=lambda: Waiting(due={}), change=_relisting(event_id, {event_id: due})
        )

    async def unlist(self, event_id: str) -> None:
        """Takes a mail off the waiting list."""
        for shards in (self._waiting, self._waiting_letters):
            with suppress(Missing):
                await shards.update(shard_of(event_id), change=_relisting(event_id, {}))

    async def due(self) -> tuple[list[str], int]:
        """The events whose mails are due, longest first, and how many mails wait in all."""
        now, due, waiting = clock.now(), [], 0
        for lists in (self._waiting, self._waiting_letters):
            found = (await lists.get_many((str(number),) for number in range(SHARDS))).values()
            due += [(at, event_id) for shard in found for event_id, at in shard.due.items() if at <= now]
            waiting += sum(len(shard.due) for shard in found)
        return [event_id for _, event_id in sorted(due)], waiting

    def _documents(self, kind: Kind) -> Documents[Any]:
        return self._first if is_first(kind) else self._letters

    async def _write(self, mail: MailRecord, **values: object) -> MailRecord:
        def change(record: MailRecord, _: Emit) -> MailRecord:
            if record.owner != mail.owner:
                return record
            return record.model_copy(update={**values, "updated_at": clock.now()})

        written: MailRecord = (await self._documents(mail.kind).update(mail.event_id, change=change)).value
        return written


def _scope(subject: str, at: datetime) -> str:
    return f"{subject}.{at:%Y-%m}"


def is_first(kind: Kind) -> bool:
    """Whether the first release knows that kind of mail."""
    return kind in get_args(FirstKind)


def _relisting(event_id: str, add: dict[str, datetime]) -> Callable[[Waiting, Emit], Waiting]:
    def change(shard: Waiting, _: Emit) -> Waiting:
        due = {name: at for name, at in shard.due.items() if name != event_id} | add
        return shard if due == shard.due else Waiting(due=due)

    return change


def shard_of(event_id: str) -> str:
    """Where a mail waits; a handful of shards keeps a mail server's outage from making one contended document."""
    return str(hashlib.sha256(event_id.encode()).digest()[0] % SHARDS)


def hash_of(address: str) -> str:
    """What is kept of an address: enough to answer "was a mail sent to this one?", no more."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()
