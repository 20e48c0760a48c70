"""The second step of a sign-in."""

from omnify_auth.service.challenges import Challenges
from omnify_auth.service.directory import home_of
from omnify_auth.service.second_factor import Holder, Proof, SecondFactor
from omnify_auth.service.sessions import Sessions, SignedIn
from omnify_auth.store import Store


class SecondStep:
    """Answers challenges. A wrong code leaves the challenge standing; a right one spends it."""

    def __init__(self, store: Store, factor: SecondFactor, sessions: Sessions) -> None:
        self._challenges = Challenges(store)
        self._factor = factor
        self._sessions = sessions

    async def login(self, token: str, proof: Proof) -> SignedIn:
        """Starts the session. Raises InvalidChallenge, InvalidCode, TooManyGuesses."""
        challenge, user = await self._challenges.open(token)
        proven = await self._factor.prove(Holder(user.user_id, home_of(user)), proof)
        await self._challenges.use(challenge)
        return await self._sessions.started(user, ("pwd", *proven))
