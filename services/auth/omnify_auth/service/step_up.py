"""Proving again who one is, within a session (RFC 9470)."""

from datetime import datetime

from omnify_auth.errors import InvalidCredentials, MfaRequired
from omnify_auth.events import SessionSteppedUp
from omnify_auth.factors import methods_of
from omnify_auth.records import Session
from omnify_auth.service.password_check import PasswordCheck
from omnify_auth.service.second_factor import Holder, Proof, SecondFactor
from omnify_auth.service.sessions import Sessions
from omnify_auth.store import Store
from omnify_auth.tokens import AccessToken
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.identity import Principal
from omnify_shared.problems import Unauthorized


class StepUp:
    """The password, and the second factor of a user who has one, make a session fresh again."""

    def __init__(
        self,
        store: Store,
        passwords: PasswordCheck,
        factor: SecondFactor,
        sessions: Sessions,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._factor = factor
        self._sessions = sessions

    async def prove(self, principal: Principal, password: str, proof: Proof | None) -> AccessToken:
        """A token with a new `auth_time`. Raises InvalidCredentials, MfaRequired, InvalidCode, TooManyGuesses."""
        user = await self._store.users.get(principal.user_id)
        if user is None or user.blocked:
            raise Unauthorized("the account no longer exists")
        if not await self._passwords.matches(user, password):
            raise InvalidCredentials
        methods = methods_of(await self._store.factors.get(user.user_id))
        proven: tuple[str, ...] = ()
        if methods:
            if proof is None:
                raise MfaRequired(methods)
            proven = await self._factor.prove(Holder(user.user_id, principal.organization_id), proof)
        return await self.renewed(principal, ("pwd", *proven))

    async def renewed(self, principal: Principal, proven: tuple[str, ...]) -> AccessToken:
        """A fresh token for a user who just proved who they are. Raises Unauthorized."""
        user = await self._store.users.get(principal.user_id)
        if user is None or user.blocked:
            raise Unauthorized("the account no longer exists")
        session = await self.note(principal.session_id, proven, at=clock.now())
        access, _ = await self._sessions.access(session, user)
        return access

    async def note(self, session_id: str, proven: tuple[str, ...], *, at: datetime | None) -> Session:
        """Adds to the methods of a session; `at` makes it fresh too. Raises Unauthorized when it has ended."""

        def change(session: Session, emit: Emit) -> Session:
            if session.ended_at:
                raise Unauthorized("the session has ended")
            amr = tuple(dict.fromkeys((*session.amr, *proven)))
            if at is None:
                return session if amr == session.amr else session.model_copy(update={"amr": amr})
            whose = {"user_id": session.user_id, "organization_id": session.organization_id}
            emit(SessionSteppedUp(**whose, session_id=session_id, amr=amr))
            return session.model_copy(update={"amr": amr, "authenticated_at": at})

        try:
            return (await self._store.sessions.update(session_id, change=change)).value
        except Missing:
            raise Unauthorized("the session has ended") from None
