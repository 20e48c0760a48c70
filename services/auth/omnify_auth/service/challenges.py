"""Sign-ins that wait for their second factor: one document each, so that any replica can go on."""

import hmac
import secrets
from hashlib import sha256
from uuid import UUID

from omnify_auth.errors import InvalidChallenge, MfaRequired
from omnify_auth.factors import methods_of
from omnify_auth.records import Challenge, Factors, User
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.ids import new_id


class Challenges:
    """Tokens are `<challenge id>.<256 random bits>`; only their SHA-256 is stored."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def demand(self, user: User, factors: Factors | None) -> None:
        """After a right password: raises MfaRequired, with a new challenge, when the user has a second factor."""
        methods = methods_of(factors)
        if not methods:
            return
        challenge_id, secret = new_id(), secrets.token_urlsafe(32)
        challenge = Challenge(
            challenge_id=challenge_id,
            user_id=user.user_id,
            digest=_digest(secret),
            password=_digest(user.password.encoded),
            used_at=None,
        )
        await self._store.challenges.create(challenge_id, value=challenge, fresh=True)
        raise MfaRequired(methods, f"{challenge_id}.{secret}")

    async def open(self, token: str) -> tuple[Challenge, User]:
        """The challenge of a token and its user. Raises InvalidChallenge."""
        challenge_id, secret = _parts(token)
        challenge = await self._store.challenges.get(challenge_id)
        genuine = challenge is not None and hmac.compare_digest(challenge.digest, _digest(secret))
        if challenge is None or not genuine or challenge.used_at:
            raise InvalidChallenge
        user = await self._store.users.get(challenge.user_id)
        if user is None or _digest(user.password.encoded) != challenge.password:
            raise InvalidChallenge
        return challenge, user

    async def use(self, challenge: Challenge) -> None:
        """Spends a challenge; of many at once one wins. Raises InvalidChallenge."""

        def change(challenge: Challenge, emit: Emit) -> Challenge:
            if challenge.used_at:
                raise InvalidChallenge
            return challenge.model_copy(update={"used_at": clock.now()})

        try:
            await self._store.challenges.update(challenge.challenge_id, change=change)
        except Missing:
            raise InvalidChallenge from None


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _parts(token: str) -> tuple[str, str]:
    challenge_id, _, secret = token.partition(".")
    try:
        return str(UUID(challenge_id)), secret
    except ValueError:
        raise InvalidChallenge from None
