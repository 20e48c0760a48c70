"""The first step of a sign-in: the password."""

from functools import partial

from omnify_auth.devices import Client
from omnify_auth.errors import EmailNotVerified, InvalidCredentials
from omnify_auth.hashing import Hasher
from omnify_auth.records import User
from omnify_auth.service.challenges import Challenges
from omnify_auth.service.directory import Directory, home_of
from omnify_auth.service.guessing import Guessing, Target
from omnify_auth.service.letters import Letters
from omnify_auth.service.sessions import Sessions, SignedIn
from omnify_auth.store import Store
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach

CHECKED = point("auth.login.checked")


class SignIn:
    """Judges a password, whether or not the address is known, and starts the session or asks for the second step."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        hasher: Hasher,
        guessing: Guessing,
        letters: Letters,
        sessions: Sessions,
    ) -> None:
        self._directory = directory
        self._store = store
        self._hasher = hasher
        self._guessing = guessing
        self._letters = letters
        self._sessions = sessions
        self._challenges = Challenges(store)

    async def login(self, email: str, password: str, client: Client) -> SignedIn:
        """Signs in with a password.

        Raises: InvalidCredentials (unknown address and wrong password alike); EmailNotVerified (right password only);
        MfaRequired (right password of a user with a second factor); TooManyGuesses; HashingBusy; SidecarUnavailable.
        """
        name = await self._directory.name(email)
        guard, address = await self._store.guard_and_address(name)
        self._guessing.admit(guard)
        user = await self._directory.claimed(name, address)
        matches = await self._hasher.verify(password, user.password if user else None)
        if user is None or not matches:
            await self._guessing.wrong(name, Target(user.user_id, home_of(user)) if user else None)
            raise InvalidCredentials
        standing = await self._store.standing(user.user_id, home_of(user), name)
        await self._guessing.settle(name, standing.guard, partial(self._letters.many_failures, user))
        if user.verified_at is None:
            raise EmailNotVerified
        if await self._hasher.is_outdated(user.password):
            user = await self._rehashed(user, password)
        reach(CHECKED)
        await self._challenges.demand(user, standing.factors)
        return await self._sessions.started(user, ("pwd",), client, standing)

    async def _rehashed(self, user: User, password: str) -> User:
        made, old = await self._hasher.hash(password), user.password

        def change(user: User, emit: Emit) -> User:
            return user.model_copy(update={"password": made}) if user.password == old else user

        return (await self._store.users.update(user.user_id, change=change)).value
