"""Second factors that are lost, with the codes that stand in for them.

Their user shows the password and the mailbox, an administrator of an organisation of theirs shows who they are and
says yes: no one of the three is enough. Then the factors go, all sessions end, and new ones are set up after the next
sign-in.
"""

from datetime import timedelta
from typing import Final

from omnify_auth.errors import InvalidToken, NoFactor
from omnify_auth.events import FactorRecoveryAsked, FactorsReset
from omnify_auth.factors import enrolled, nothing_of
from omnify_auth.records import Factors, Letter, User
from omnify_auth.service.challenges import Challenges
from omnify_auth.service.directory import Directory, home_of
from omnify_auth.service.endings import Endings
from omnify_auth.service.flood import MailFlood
from omnify_auth.service.letters import Letters
from omnify_auth.service.members import Members
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.identity import Principal
from omnify_shared.problems import Conflict

KIND: Final = "mfa_recovery"
GOOD_FOR = timedelta(hours=72)


class FactorRecovery:
    """A request is a moment in the factors' own document; who uses a factor has not lost them, and takes it away."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        letters: Letters,
        flood: MailFlood,
        members: Members,
        endings: Endings,
    ) -> None:
        self._directory = directory
        self._store = store
        self._challenges = Challenges(store)
        self._letters = letters
        self._flood = flood
        self._members = members
        self._endings = endings

    async def ask(self, mfa_token: str) -> None:
        """Mails a link to who has just shown the password. Raises InvalidChallenge."""
        _, user = await self._challenges.open(mfa_token)
        if not await self._flood.may_mail(await self._directory.name(user.email)):
            return
        letter = await self._letters.write(KIND, user)

        def change(factors: Factors, emit: Emit) -> Factors:
            emit(letter)
            return factors

        await self._store.factors.update(user.user_id, change=change)

    async def confirm(self, token: str) -> None:
        """Notes that the user has the mailbox, too; for 72 hours. Raises InvalidToken."""
        letter = await self._letters.read(token, KIND)
        user = await self._store.users.get(letter.user_id)
        if user is None or _is_void(letter, user):
            raise InvalidToken

        def change(factors: Factors, emit: Emit) -> Factors:
            if not enrolled(factors):
                raise InvalidToken
            emit(FactorRecoveryAsked(user_id=user.user_id, organization_id=home_of(user)))
            return factors.model_copy(update={"recovery_asked_at": clock.now()})

        try:
            await self._store.factors.update(user.user_id, change=change)
        except Missing:
            raise InvalidToken from None
        await self._store.letters.delete(letter.letter_id)

    async def grant(self, actor: Principal, user_id: str) -> None:
        """Takes a member's factors away, as they asked. Raises NotFound, Forbidden; Conflict where they did not ask."""
        await self._members.check_governs(actor, user_id)

        def change(factors: Factors, emit: Emit) -> Factors:
            if not enrolled(factors):
                raise NoFactor("the member has no second factor")
            asked = factors.recovery_asked_at
            if asked is None or clock.now() >= asked + GOOD_FOR:
                raise Conflict("the member has to ask for it first, at the second step of a sign-in")
            whose = {"user_id": user_id, "organization_id": actor.organization_id, "actor_id": actor.user_id}
            emit(FactorsReset(**whose))
            return nothing_of(user_id)

        try:
            await self._store.factors.update(user_id, change=change)
        except Missing:
            raise NoFactor("the member has no second factor") from None
        await self._endings.end_all(user_id)


def _is_void(letter: Letter, user: User) -> bool:
    changed = user.password_changed_at
    return letter.to != user.email or (changed is not None and changed >= letter.created_at)
