"""The password of somebody who is known already."""

from functools import partial

from omnify_auth.hashing import Hasher
from omnify_auth.records import User
from omnify_auth.service.directory import Directory, home_of
from omnify_auth.service.guessing import Guessing, Target
from omnify_auth.service.letters import Letters
from omnify_auth.store import Store


class PasswordCheck:
    """Counts wrong ones as failed sign-ins: whoever holds a session gains no guesses by it."""

    def __init__(
        self, directory: Directory, store: Store, hasher: Hasher, guessing: Guessing, letters: Letters
    ) -> None:
        self._directory = directory
        self._store = store
        self._hasher = hasher
        self._guessing = guessing
        self._letters = letters

    async def matches(self, user: User, password: str) -> bool:
        """Whether this is the user's password. Raises TooManyGuesses, HashingBusy."""
        name = await self._directory.name(user.email)
        self._guessing.admit(await self._store.guards.get(name))
        matches = await self._hasher.verify(password, user.password)
        if matches:
            await self._guessing.right(name, partial(self._letters.many_failures, user))
        else:
            await self._guessing.wrong(name, Target(user.user_id, home_of(user)))
        return matches

    async def forget(self, user: User) -> None:
        """Forgets the wrong ones."""
        await self._guessing.forget(await self._directory.name(user.email))
