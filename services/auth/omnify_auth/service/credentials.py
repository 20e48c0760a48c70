"""Replacing a password: by its owner, or by whoever gets the mails of its address.

The user document decides in one write: a mailed link counts while no password was set after its letter was written, so
of any number of links and tries exactly one wins, and any change of the password makes all links void.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from omnify_auth.access import sessions_ended
from omnify_auth.errors import InvalidToken, WrongPassword
from omnify_auth.events import PasswordChanged
from omnify_auth.hashing import Hasher
from omnify_auth.passwords import context_words
from omnify_auth.records import Letter, User
from omnify_auth.service.directory import Directory, home_of
from omnify_auth.service.endings import Endings
from omnify_auth.service.flood import MailFlood
from omnify_auth.service.letters import Letters
from omnify_auth.service.password_check import PasswordCheck
from omnify_auth.service.strength import refuse_weak
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach

ASKED = point("auth.reset.asked")
RESET = point("auth.reset.written")
CHANGED = point("auth.password.changed")

AskAgain = Callable[[User], Awaitable[None]]


class Credentials:
    """Passwords after the first one. Nothing here tells a stranger whether an address is known."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        hasher: Hasher,
        passwords: PasswordCheck,
        letters: Letters,
        flood: MailFlood,
        endings: Endings,
        settings: AuthSettings,
    ) -> None:
        self._directory = directory
        self._store = store
        self._hasher = hasher
        self._passwords = passwords
        self._letters = letters
        self._flood = flood
        self._endings = endings
        self._settings = settings

    async def change(self, user_id: str, session_id: str, current: str, new: str, *, end_others: bool) -> None:
        """Sets a new password for the signed-in user, and tells them by mail.

        Raises: WrongPassword; Unprocessable for a weak one; TooManyGuesses; HashingBusy; SidecarUnavailable.
        """
        user = await self._directory.contact(user_id)
        if not await self._passwords.matches(user, current):
            raise WrongPassword

        def still(now: User) -> None:
            if now.password != user.password:
                raise WrongPassword

        await self._replace(user, new, still, by="change", end=end_others, kept=session_id)
        reach(CHANGED)

    async def ask_for_reset(self, email: str, ask_again: AskAgain) -> None:
        """Mails a link, or for an account that still waits for its proof another one of those."""
        name = await self._directory.name(email)
        may_mail = await self._flood.may_mail(name)
        user = await self._directory.owner(name)
        if user is None or not may_mail:
            return await self._flood.pretend(name)
        if user.verified_at is None:
            return await ask_again(user)
        letter = await self._letters.write("password_reset", user)

        def change(user: User, emit: Emit) -> User:
            emit(letter)
            return user

        await self._store.users.update(user.user_id, change=change)
        reach(ASKED)

    async def reset(self, token: str, new: str, *, end_others: bool) -> None:
        """Sets a new password with a mailed token; nobody is signed in by it. Raises InvalidToken, Unprocessable."""
        letter = await self._letters.read(token, "password_reset")
        user = await self._store.users.get(letter.user_id)
        if user is None or _is_void(letter, user):
            raise InvalidToken

        def still(now: User) -> None:
            if _is_void(letter, now):
                raise InvalidToken

        await self._replace(user, new, still, by="reset", end=end_others, kept=None)
        reach(RESET)
        await self._passwords.forget(user)
        await self._store.letters.delete(letter.letter_id)

    async def _replace(
        self, user: User, new: str, still: Callable[[User], None], *, by: Any, end: bool, kept: str | None
    ) -> None:
        organization_id = home_of(user)
        organization = await self._store.organizations.get(organization_id)
        context = context_words(user.email, user.full_name, organization.name if organization else "")
        refuse_weak(new, "new_password", context, self._settings)
        password = await self._hasher.hash(new)
        notice = await self._letters.write("password_changed", user)

        def change(user: User, emit: Emit) -> User:
            still(user)
            now = clock.now()
            emit(PasswordChanged(user_id=user.user_id, organization_id=organization_id, by=by))
            emit(notice)
            ended = sessions_ended(user, emit, now, kept=kept) if end else {}
            return user.model_copy(update={"password": password, "password_changed_at": now, **ended})

        try:
            changed = (await self._store.users.update(user.user_id, change=change)).value
        except Missing:
            raise InvalidToken from None
        if end:
            await self._endings.tell(changed)


def _is_void(letter: Letter, user: User) -> bool:
    """Whether the password was changed since the letter was written, or the address that it went to."""
    if letter.to != user.email:
        return True
    return user.password_changed_at is not None and user.password_changed_at >= letter.created_at
