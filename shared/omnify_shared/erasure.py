"""Taking part in an erasure: auth tells whom it is about, a service deletes what it holds of them and gives a receipt.

    class ErasureCompleted(ErasureReceipt, type="omnify.files.erasure.completed.v1"): ...   # events.py, in EVENTS
    self.erasures = Erasures(platform, ErasureCompleted, self._erase)                       # the service's object
    platform.tasks.spawn(service.erasures.run(), name="erasures")                           # build
    follow_erasures(subscriptions)                                                          # subscriptions.py

`erase(subject)` deletes a part of what is held, the oldest or the first, and returns how many it deleted by kind. It
is asked again until it deletes nothing, so it lists nothing in memory and goes on after a crash where it stopped. It
raises `NotYet` while something still has to end by itself. The receipt lies in the write that ends the erasure.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from pydantic import BaseModel

from omnify_shared import clock
from omnify_shared.documents import Documents, Emit
from omnify_shared.events.model import CloudEvent, EventData
from omnify_shared.events.subscriptions import Subscriptions
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform

log = structlog.get_logger()
NOTED = point("erasure.request.noted")
DELETED = point("erasure.part.deleted")
COMPLETED = point("erasure.request.completed")

LOOK_EVERY = 2.0  # seconds between looks for what a stopped replica left
LEASE = timedelta(seconds=30)  # a replica's for one part; most take well below a second
KEPT = timedelta(days=90)  # how long a service remembers an erasure, to give its receipt again
_ALL = "all"


class ErasureReceipt(EventData, type="omnify.service.erasure.completed.v1"):
    """A service has deleted what it held: `counts` says how much of what. `subject` is the erasure's id.

    What was deleted by a replica that died before it could count it is not in the counts.
    """

    erasure_id: str
    counts: dict[str, int]
    completed_at: datetime


class OrganizationDeleted(EventData, type="omnify.auth.organization.deleted.v1"):
    """An organisation is to be erased. Its id is the erasure's."""

    organization_id: str


class UserErased(EventData, type="omnify.auth.user.erased.v1"):
    """A user left everything: what is held of them is to be erased."""

    user_id: str
    erasure_id: str


class ErasureReminded(EventData, type="omnify.auth.erasure.reminded.v1"):
    """Receipts of `services` are overdue."""

    erasure_id: str
    user_id: str | None
    organization_id: str | None
    services: tuple[str, ...]


READERS = (OrganizationDeleted, UserErased, ErasureReminded)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an erasure is about: a user or an organisation."""

    erasure_id: str
    user_id: str | None = None
    organization_id: str | None = None


class Erasure(BaseModel):
    """An erasure and how far this service is with it."""

    erasure_id: str
    user_id: str | None
    organization_id: str | None
    counts: dict[str, int]
    completed_at: datetime | None
    owner: str | None
    until: datetime | None

    @property
    def subject(self) -> Subject:
        """Whom it is about."""
        return Subject(self.erasure_id, self.user_id, self.organization_id)


class OpenErasures(BaseModel):
    """The erasures that have not ended."""

    erasures: list[str] = []


class NotYet(Exception):
    """Something has to end by itself first; `erase` is asked again a moment later."""


class _Taken(Exception):
    """Another replica is at it."""


Erase = Callable[[Subject], Awaitable[Mapping[str, int]]]


class Erasures:
    """The erasures that one service takes part in."""

    def __init__(self, platform: Platform, receipt: type[ErasureReceipt], erase: Erase) -> None:
        self._records = Documents(platform.state, "erasure", Erasure, outbox=platform.outbox, ttl=KEPT)
        self._open = Documents(platform.state, "open-erasures", OpenErasures)
        self._receipt = receipt
        self._erase = erase
        self._replica = new_id()
        self._wake = asyncio.Event()

    async def ask(self, subject: Subject) -> None:
        """Takes an erasure on, durably, and begins. One that has ended gives its receipt again."""

        def change(erasure: Erasure, emit: Emit) -> Erasure:
            if erasure.completed_at:
                emit(self._receipt_of(erasure, erasure.completed_at))
            return erasure

        record = await self._records.upsert(subject.erasure_id, initial=lambda: _asked(subject), change=change)
        reach(NOTED)
        if record.value.completed_at is None:
            await self._list(subject.erasure_id)
            self._wake.set()

    async def run(self) -> None:
        """For the life of the process: carries out what was asked of it, and what a stopped replica left."""
        while True:
            self._wake.clear()
            try:
                found = await self._open.get(_ALL)
                for erasure_id in found.erasures if found else ():
                    await self._try(erasure_id)
            except Exception as error:
                log.warning("erasures not looked through", reason=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY)

    async def _try(self, erasure_id: str) -> None:
        try:
            await self._carry_out(erasure_id)
        except (NotYet, _Taken):
            return
        except Exception as error:
            log.warning("erasure postponed", erasure_id=erasure_id, exc_info=error)

    async def _carry_out(self, erasure_id: str) -> None:
        record = await self._records.get(erasure_id)
        while record and record.completed_at is None:
            await self._records.update(erasure_id, change=self._lease)
            done = {kind: count for kind, count in (await self._erase(record.subject)).items() if count}
            reach(DELETED)
            record = (await self._records.update(erasure_id, change=self._after(done))).value
        reach(COMPLETED)
        await self._unlist(erasure_id)

    def _lease(self, erasure: Erasure, _: Emit) -> Erasure:
        now = clock.now()
        if erasure.until and erasure.owner != self._replica and now < erasure.until:
            raise _Taken
        return erasure.model_copy(update={"owner": self._replica, "until": now + LEASE})

    def _after(self, done: Mapping[str, int]) -> Callable[[Erasure, Emit], Erasure]:
        def change(erasure: Erasure, emit: Emit) -> Erasure:
            if erasure.completed_at:
                return erasure
            if done:
                counts = {kind: erasure.counts.get(kind, 0) + done.get(kind, 0) for kind in {*erasure.counts, *done}}
                return erasure.model_copy(update={"counts": dict(sorted(counts.items()))})
            now = clock.now()
            emit(self._receipt_of(erasure, now))
            return erasure.model_copy(update={"completed_at": now, "owner": None, "until": None})

        return change

    def _receipt_of(self, erasure: Erasure, at: datetime) -> ErasureReceipt:
        return self._receipt(erasure_id=erasure.erasure_id, counts=erasure.counts, completed_at=at)

    async def _list(self, erasure_id: str) -> None:
        def change(known: OpenErasures, _: Emit) -> OpenErasures:
            listed = erasure_id in known.erasures
            return known if listed else OpenErasures(erasures=[*known.erasures, erasure_id])

        await self._open.upsert(_ALL, initial=OpenErasures, change=change)

    async def _unlist(self, erasure_id: str) -> None:
        def change(known: OpenErasures, _: Emit) -> OpenErasures:
            left = [one for one in known.erasures if one != erasure_id]
            return OpenErasures(erasures=left) if len(left) < len(known.erasures) else known

        await self._open.upsert(_ALL, initial=OpenErasures, change=change)


def follow_erasures(subscriptions: Subscriptions) -> None:
    """Subscribes an app whose service object has `erasures`. Asking twice changes nothing, so no record is kept."""

    async def organization(event: CloudEvent[OrganizationDeleted], service: Any) -> None:
        found = event.data.organization_id
        await service.erasures.ask(Subject(erasure_id=found, organization_id=found))

    async def user(event: CloudEvent[UserErased], service: Any) -> None:
        await service.erasures.ask(Subject(erasure_id=event.data.erasure_id, user_id=event.data.user_id))

    async def reminder(event: CloudEvent[ErasureReminded], service: Any) -> None:
        asked = event.data
        if subscriptions.app_id in asked.services:
            await service.erasures.ask(Subject(asked.erasure_id, asked.user_id, asked.organization_id))

    subscriptions.on(OrganizationDeleted, dedupe="effect")(organization)
    subscriptions.on(UserErased, dedupe="effect")(user)
    subscriptions.on(ErasureReminded, dedupe="effect")(reminder)


def _asked(subject: Subject) -> Erasure:
    return Erasure(
        erasure_id=subject.erasure_id,
        user_id=subject.user_id,
        organization_id=subject.organization_id,
        counts={},
        completed_at=None,
        owner=None,
        until=None,
    )
