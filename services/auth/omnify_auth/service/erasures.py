"""Erasing a user or an organisation: what was asked is carried out by whichever replica is there.

Order of the writes, and why a crash after any of them does no harm:

1. erasure, found by the list of open ones. Crash: nobody was erased, and it is dropped an hour later.
2. user, as an empty shell, with the event that asks all services. From here on the account is gone.
3. what auth holds (`Leaving`), each part as often as it takes; then auth's own receipt.
4. receipts of the others, as they come in; those that are overdue are asked for again.
5. the end, with the mail to the former address.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import structlog

from omnify_auth.access import sessions_ended
from omnify_auth.erasure_events import ErasureFinished, ErasureReminded, UserErased
from omnify_auth.erasures import OWN, SERVICES, Erasure, OpenErasures, Receipt
from omnify_auth.events import LetterKind, LetterRequested
from omnify_auth.records import PasswordHash, User
from omnify_auth.service.directory import Directory
from omnify_auth.service.endings import Endings
from omnify_auth.service.leaving import Leaving
from omnify_auth.service.letters import Letters
from omnify_auth.settings import AuthSettings
from omnify_auth.store import ERASURE_KEPT, ERASURE_PREPARED, Store
from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists, Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.problems import NotFound, Unauthorized, Unprocessable

log = structlog.get_logger()
PREPARED = point("auth.erasure.prepared")
COMMITTED = point("auth.erasure.committed")
DELETED = point("auth.erasure.deleted")
RECEIVED = point("auth.erasure.received")
ENDED = point("auth.erasure.ended")
FAREWELL: LetterKind = "account_erased"
_ALL = "all"
Change = Callable[[Erasure, Emit], Erasure]


@dataclass(frozen=True, slots=True)
class Asked:
    """An erasure that is under way, and the token to ask about it with: it is stored only as a digest."""

    erasure: Erasure
    token: str


class Erasures:
    """One document per erasure."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        letters: Letters,
        leaving: Leaving,
        endings: Endings,
        settings: AuthSettings,
    ) -> None:
        self._store = store
        self._directory = directory
        self._letters = letters
        self._leaving = leaving
        self._endings = endings
        self._settings = settings
        self._wake = asyncio.Event()
        self.open: int | None = None
        self.overdue: int | None = None

    async def request(self, user_id: str, email: str) -> Asked:
        """Erases a user who typed their address. Raises NotFound, Unprocessable; OwnerNeeded where others need one.

        Returns when the account is gone; what is held of it follows.
        """
        user = await self._directory.contact(user_id)
        name = await self._directory.name(user.email)
        if await self._directory.name(email) != name:
            raise Unprocessable("email: is not the address of this account")
        alone = await self._leaving.organizations_to_delete(user)
        asked = await self._prepared(user, alone)
        reach(PREPARED)
        await self._commit(user, asked.erasure, name)
        reach(COMMITTED)
        self._wake.set()
        return asked

    async def follow_organization(self, organization_id: str) -> None:
        """Collects the receipts for an organisation that was deleted; again, it changes nothing."""
        now = clock.now()
        made = _new(organization_id, organization_id=organization_id).model_copy(update={"begun_at": now})
        with suppress(AlreadyExists):
            await self._store.erasures.create(organization_id, value=made, ttl=ERASURE_KEPT)
        stored = await self._store.erasures.get(organization_id)
        if stored and stored.ended_at is None:
            await self._list(organization_id)
            self._wake.set()

    async def status(self, erasure_id: str, token: str) -> Erasure:
        """An erasure, for who has its token. Raises NotFound for anybody else."""
        erasure = await self._store.erasures.get(erasure_id)
        if erasure is None or not hmac.compare_digest(erasure.digest or "", _digest(token)):
            raise NotFound("no such erasure, or another token than the one that it was answered with")
        return erasure

    async def receive(self, erasure_id: str, receipt: Receipt) -> None:
        """Keeps a service's receipt, even where it is faster than our own reading of what it answers."""
        roster = await self._store.rosters.get(erasure_id)
        if roster and roster.deleted_at:
            await self.follow_organization(erasure_id)
        with suppress(Missing):
            await self._store.erasures.update(erasure_id, change=lambda known, _: known.with_receipt(receipt))
        reach(RECEIVED)
        self._wake.set()

    async def run(self) -> None:
        """For the life of the process: carries on with what has not ended."""
        while True:
            self._wake.clear()
            try:
                await self._look_through()
            except Exception as error:
                log.warning("erasures not looked through", reason=type(error).__name__)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._settings.erasure_looks.total_seconds())

    async def _look_through(self) -> None:
        found = await self._store.open_erasures.get(_ALL)
        overdue = 0
        for erasure_id in found.erasures if found else ():
            try:
                overdue += await self._carry_on(erasure_id)
            except Exception as error:
                log.warning("erasure postponed", erasure_id=erasure_id, exc_info=error)
        self.open, self.overdue = len(found.erasures) if found else 0, overdue

    async def _carry_on(self, erasure_id: str) -> bool:
        """Does what can be done now; whether receipts are overdue."""
        erasure = await self._begun(erasure_id)
        if erasure is None:
            return False
        if OWN in erasure.missing:
            counts = await self._leaving.erase(erasure)
            reach(DELETED)
            receipt = Receipt(service=OWN, counts=counts, completed_at=clock.now())
            erasure = await self._change(erasure_id, lambda known, _: known.with_receipt(receipt))
        if not erasure.missing and await self._all_ended(erasure.organizations):
            await self._change(erasure_id, _ended)
            reach(ENDED)
            await self._unlist(erasure_id)
            return False
        overdue = clock.now() - (erasure.begun_at or erasure.asked_at) > self._settings.erasure_patience
        if overdue and erasure.missing:
            await self._change(erasure_id, self._reminded)
        return overdue

    async def _begun(self, erasure_id: str) -> Erasure | None:
        """The erasure, marked as begun once its user is a shell; None before, or when it came to nothing."""
        erasure = await self._store.erasures.get(erasure_id)
        if erasure is None or erasure.ended_at:
            await self._unlist(erasure_id)
            return None
        if erasure.begun_at or erasure.user_id is None:
            return erasure
        user = await self._store.users.get(erasure.user_id)
        if user is None or user.erasure_id != erasure_id:
            return None

        def change(known: Erasure, _: Emit) -> Erasure:
            return known if known.begun_at else known.model_copy(update={"begun_at": clock.now()})

        return (await self._store.erasures.update(erasure_id, change=change, ttl=ERASURE_KEPT)).value

    async def _all_ended(self, organizations: tuple[str, ...]) -> bool:
        found = await self._store.erasures.get_many((one,) for one in organizations)
        return all((one,) in found and found[one,].ended_at for one in organizations)

    def _reminded(self, erasure: Erasure, emit: Emit) -> Erasure:
        now = clock.now()
        last = erasure.reminded_at
        if not erasure.missing or (last and now - last < self._settings.erasure_patience):
            return erasure
        whose = {"user_id": erasure.user_id, "organization_id": erasure.organization_id}
        emit(ErasureReminded(erasure_id=erasure.erasure_id, services=erasure.missing, **whose))
        return erasure.model_copy(update={"reminded_at": now})

    async def _prepared(self, user: User, organizations: tuple[str, ...]) -> Asked:
        token = secrets.token_urlsafe(32)
        told = await self._letters.farewell(FAREWELL, user)
        made = _new(new_id(), user_id=user.user_id).model_copy(
            update={
                "organizations": organizations,
                "digest": _digest(token),
                "pseudonym": await self._directory.pseudonym(user.email),
                "letter_id": told.letter_id,
            }
        )
        await self._store.erasures.create(made.erasure_id, value=made, fresh=True, ttl=ERASURE_PREPARED)
        await self._list(made.erasure_id)
        return Asked(made, token)

    async def _commit(self, user: User, erasure: Erasure, name: str) -> None:
        def change(user: User, emit: Emit) -> User:
            if user.erased_at:
                raise Unauthorized("the account no longer exists")
            now = clock.now()
            ended = sessions_ended(user, emit, now)
            emit(UserErased(user_id=user.user_id, erasure_id=erasure.erasure_id))
            return user.model_copy(update=_shell(erasure.erasure_id, name) | {"erased_at": now} | ended)

        changed = (await self._store.users.update(user.user_id, change=change)).value
        self._store.shown_users.forget(user.user_id)
        await self._endings.tell(changed)

    async def _change(self, erasure_id: str, change: Change) -> Erasure:
        return (await self._store.erasures.update(erasure_id, change=change)).value

    async def _list(self, erasure_id: str) -> None:
        def change(known: OpenErasures, _: Emit) -> OpenErasures:
            return known if erasure_id in known.erasures else OpenErasures(erasures=(*known.erasures, erasure_id))

        await self._store.open_erasures.upsert(_ALL, initial=OpenErasures, change=change)

    async def _unlist(self, erasure_id: str) -> None:
        def change(known: OpenErasures, _: Emit) -> OpenErasures:
            left = tuple(one for one in known.erasures if one != erasure_id)
            return known if left == known.erasures else OpenErasures(erasures=left)

        await self._store.open_erasures.upsert(_ALL, initial=OpenErasures, change=change)


def _new(erasure_id: str, *, user_id: str | None = None, organization_id: str | None = None) -> Erasure:
    return Erasure(
        erasure_id=erasure_id,
        user_id=user_id,
        organization_id=organization_id,
        services=(OWN, *SERVICES),
        receipts=(),
        organizations=(),
        digest=None,
        pseudonym=None,
        letter_id=None,
        asked_at=clock.now(),
        begun_at=None,
        reminded_at=None,
        ended_at=None,
    )


def _shell(erasure_id: str, name: str) -> dict[str, Any]:
    """What is written over a user; the name of the claim on the address stays until that is dropped."""
    nothing = {"email": "", "full_name": "", "locale": None, "password": PasswordHash(encoded="", pepper=0)}
    return nothing | {"erasure_id": erasure_id, "left_address": name, "disabled_at": None}


def _ended(erasure: Erasure, emit: Emit) -> Erasure:
    if erasure.ended_at:
        return erasure
    emit(
        ErasureFinished(erasure_id=erasure.erasure_id, user_id=erasure.user_id, organization_id=erasure.organization_id)
    )
    if erasure.letter_id and erasure.user_id:
        whose = {"user_id": erasure.user_id, "organization_id": None}
        emit(LetterRequested(letter_id=erasure.letter_id, kind=FAREWELL, **whose))
    return erasure.model_copy(update={"ended_at": clock.now()})


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
