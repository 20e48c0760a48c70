"""The second step of a sign-in."""

from omnify_auth.devices import Client
from omnify_auth.errors import InvalidPasskey
from omnify_auth.factors import PASSKEY_PROVEN, methods_of
from omnify_auth.passkey_rules import Credential, owner_of
from omnify_auth.service.challenges import Challenges
from omnify_auth.service.directory import home_of
from omnify_auth.service.passkeys import Passkeys
from omnify_auth.service.second_factor import Holder, Proof, SecondFactor
from omnify_auth.service.sessions import Sessions, SignedIn
from omnify_auth.store import Store


class SecondStep:
    """Answers challenges. A wrong code leaves the challenge standing; a right one spends it."""

    def __init__(self, store: Store, factor: SecondFactor, passkeys: Passkeys, sessions: Sessions) -> None:
        self._store = store
        self._passkeys = passkeys
        self._challenges = Challenges(store)
        self._factor = factor
        self._sessions = sessions

    async def login(self, token: str, proof: Proof, client: Client) -> SignedIn:
        """Starts the session. Raises InvalidChallenge, InvalidCode, TooManyGuesses."""
        challenge, user = await self._challenges.open(token)
        proven = await self._factor.prove(Holder(user.user_id, home_of(user)), proof)
        await self._challenges.use(challenge)
        return await self._sessions.started(user, ("pwd", *proven), client)

    async def methods(self, token: str) -> tuple[str, ...]:
        """By what a challenge can be answered. Raises InvalidChallenge."""
        _, user = await self._challenges.open(token)
        return methods_of(await self._store.factors.get(user.user_id))

    async def passkey(self, token: str | None, ceremony_id: str, credential: Credential, client: Client) -> SignedIn:
        """Starts a session by a passkey: as the second step of the challenge `token`, or alone.

        Raises InvalidChallenge, InvalidPasskey.
        """
        if token is None:
            user = await self._store.users.get(owner_of(credential))
            if user is None or user.verified_at is None:
                raise InvalidPasskey
            await self._passkeys.show(Holder(user.user_id, home_of(user)), ceremony_id, credential)
            return await self._sessions.started(user, PASSKEY_PROVEN, client)
        challenge, user = await self._challenges.open(token)
        await self._passkeys.show(Holder(user.user_id, home_of(user)), ceremony_id, credential)
        await self._challenges.use(challenge)
        return await self._sessions.started(user, ("pwd", *PASSKEY_PROVEN), client)
