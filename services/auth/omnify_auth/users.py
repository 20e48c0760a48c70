"""Users as their documents lie there: version 1, or version 2 of a later release, which seals address and name."""

import json
from collections.abc import Callable, Iterable
from datetime import timedelta

from omnify_auth.profiles import ProfileKeys
from omnify_auth.records import User
from omnify_shared.documents import Documents, Emit, Key, Stored
from omnify_shared.events.outbox import Outbox
from omnify_shared.state import StateStore


class _Unopened(Exception):
    """A change met a sealed user that has to be opened first."""

    def __init__(self, user: User) -> None:
        super().__init__(user.user_id)
        self.user = user


class Users(Documents[User]):
    """Opens what is sealed, so that all others know of one form. A plain user costs no more than without this."""

    def __init__(self, state: StateStore, outbox: Outbox, profiles: ProfileKeys) -> None:
        super().__init__(state, "user", User, outbox=outbox)
        self._profiles = profiles

    async def load(self, *key: str) -> Stored[User] | None:
        """The user with the document's version, or None."""
        stored = await super().load(*key)
        return Stored(await self._opened(stored.value), stored.version) if stored else None

    async def get_many(self, keys: Iterable[Key]) -> dict[Key, User]:
        """The users that exist among `keys`, by bulk reads."""
        found = await super().get_many(keys)
        return {key: await self._opened(user) for key, user in found.items()}

    async def update(
        self, *key: str, change: Callable[[User, Emit], User], ttl: timedelta | None = None
    ) -> Stored[User]:
        """As `Documents.update`; `change` is given the opened user, and one that was sealed is written anew."""
        sealed, opened = None, None

        def within(user: User, emit: Emit) -> User:
            if user.sealed is None:
                return change(user, emit)
            if opened is None or user.sealed != sealed:
                raise _Unopened(user)
            names = {"email": opened.email, "full_name": opened.full_name, "sealed": None}
            return change(user.model_copy(update=names), emit)

        while True:
            try:
                return await super().update(*key, change=within, ttl=ttl)
            except _Unopened as unopened:
                sealed, opened = unopened.user.sealed, await self._opened(unopened.user)

    async def _opened(self, user: User) -> User:
        """The user with address and name; without, where the key was shredded. Raises KeysUnavailable."""
        if user.sealed is None:
            return user
        plain = await self._profiles.open(user.user_id, user.sealed, record_of(user.user_id))
        return user.model_copy(update={"sealed": None} | (json.loads(plain) if plain else {}))


def record_of(user_id: str) -> str:
    """What address and name are bound to."""
    return f"user/{user_id}"
