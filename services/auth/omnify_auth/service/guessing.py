"""Counting wrong guesses at passwords, so that guesses made at the same time gain nothing.

A guess is judged at the moment it is settled, after the password was compared: a write under the document's ETag for
a wrong one, a fresh read for a right one. Settled guesses stand in one order, and the ladder holds for that order:
a guess that finds a wait running is refused whatever the password was, and tells its maker nothing.

Every counted guess is an event, of unknown addresses too, so that both take the same time; the ladder bounds how many
there can be.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from omnify_auth.errors import TooManyGuesses
from omnify_auth.events import SignInFailed
from omnify_auth.guard import Ladder
from omnify_auth.records import Guard
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.events import EventData

Notice = Callable[[int], Awaitable[EventData]]


@dataclass(frozen=True, slots=True)
class Target:
    """Whose secret was guessed at, and in which organisation's log that stands."""

    user_id: str
    organization_id: str


_NONE = Guard(failures=0, last_failed_at=datetime.fromtimestamp(0, UTC))


class Guessing:
    """The guard of each address, known or not; `name` is the address's digest."""

    def __init__(self, store: Store, settings: AuthSettings) -> None:
        self._store = store
        self._ladder = Ladder.of(settings)

    def admit(self, guard: Guard | None) -> None:
        """Before the costly comparison. Raises TooManyGuesses while a wait runs."""
        self._refuse_in_wait(guard)

    async def wrong(
        self, name: str, target: Target | None, factor: Literal["password", "totp", "recovery_code"] = "password"
    ) -> None:
        """Settles a wrong guess: counts it. Raises TooManyGuesses when others were counted first and a wait runs."""
        guards = self._store.guards if target else self._store.guards_of_nobody
        user_id, organization_id = (target.user_id, target.organization_id) if target else (None, None)

        def change(guard: Guard, emit: Emit) -> Guard:
            self._refuse_in_wait(guard)
            failures = guard.failures + 1
            emit(SignInFailed(user_id=user_id, organization_id=organization_id, factor=factor, failures=failures))
            return Guard(failures=failures, last_failed_at=clock.now())

        await guards.upsert(name, initial=lambda: _NONE, change=change)

    async def right(self, name: str, notice: Notice | None = None) -> None:
        """Settles a right guess: forgets the wrong ones. Raises TooManyGuesses when a wait runs by now.

        `notice` makes an event that tells the user of that many wrong ones, where all free ones were used up.
        """
        await self.settle(name, await self._store.guards.get(name), notice)

    async def settle(self, name: str, guard: Guard | None, notice: Notice | None = None) -> None:
        """As `right`, with the guard as it was read after the comparison."""
        self._refuse_in_wait(guard)
        if guard is None or guard.failures == 0:
            return
        told = await notice(guard.failures) if notice and guard.failures >= self._ladder.free else None

        def change(guard: Guard, emit: Emit) -> Guard:
            self._refuse_in_wait(guard)
            if guard.failures == 0:
                return guard
            if told:
                emit(told)
            return _NONE

        try:
            await self._store.guards.update(name, change=change)
        except Missing:
            return

    async def forget(self, name: str) -> None:
        """Starts the count anew: whoever could guess is locked out by a new secret."""
        await self._store.guards.delete(name)

    def _refuse_in_wait(self, guard: Guard | None) -> None:
        if wait := self._ladder.remaining(guard, clock.now()):
            raise TooManyGuesses(wait)
