"""Disabling an account as a whole, and letting it back in."""

from typing import Literal

from omnify_auth.access import sessions_ended
from omnify_auth.erasure_events import UserDisabled, UserEnabled
from omnify_auth.records import User
from omnify_auth.service.directory import Directory
from omnify_auth.service.endings import Endings
from omnify_auth.service.letters import Letters
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.documents import Emit


class Accounts:
    """A disabled account is refused as a wrong password is; nothing that it holds is touched."""

    def __init__(self, store: Store, directory: Directory, letters: Letters, endings: Endings) -> None:
        self._store = store
        self._directory = directory
        self._letters = letters
        self._endings = endings

    async def disable(self, user_id: str, by: Literal["user", "operator"]) -> None:
        """Ends all sessions in every service and lets nobody sign in; again, it changes nothing. Raises NotFound."""
        told = await self._letters.write("account_disabled", await self._directory.contact(user_id))

        def change(user: User, emit: Emit) -> User:
            if user.blocked:
                return user
            now = clock.now()
            ended = sessions_ended(user, emit, now)
            emit(UserDisabled(user_id=user_id, by=by))
            emit(told)
            return user.model_copy(update={"disabled_at": now, **ended})

        user = (await self._store.users.update(user_id, change=change)).value
        self._store.shown_users.forget(user_id)
        await self._endings.tell(user)

    async def enable(self, user_id: str) -> None:
        """Lets a disabled account sign in again. Raises NotFound."""
        await self._directory.contact(user_id)

        def change(user: User, emit: Emit) -> User:
            if user.disabled_at is None:
                return user
            emit(UserEnabled(user_id=user_id))
            return user.model_copy(update={"disabled_at": None})

        await self._store.users.update(user_id, change=change)

    async def speak(self, user_id: str, locale: str | None) -> str | None:
        """Sets the language of the user's mails; what it is now. Raises NotFound."""
        await self._directory.contact(user_id)

        def change(user: User, emit: Emit) -> User:
            return user if user.blocked else user.model_copy(update={"locale": locale})

        user = (await self._store.users.update(user_id, change=change)).value
        self._store.shown_users.forget(user_id)
        return user.locale
