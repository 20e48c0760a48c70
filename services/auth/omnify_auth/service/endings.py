"""The end of sessions and API keys, so that every service refuses their tokens within seconds."""

from contextlib import suppress

from omnify_auth.access import cut_of, sessions_ended
from omnify_auth.api_keys import API_KEY_ENDED, ApiKey
from omnify_auth.events import ApiKeyRevoked, SessionRevoked
from omnify_auth.records import EndReason, Session, User
from omnify_auth.settings import CLOCK_LEEWAY, AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.events import EventData
from omnify_shared.faults import point, reach
from omnify_shared.problems import Unauthorized
from omnify_shared.revocations import TOKEN_LIFE, Revocations

ENDED = point("auth.logout.ended")
REVOKED = point("auth.logout.revoked")


class Endings:
    """Ends one session by its own document, and all of a user by the user's."""

    def __init__(self, store: Store, revocations: Revocations, settings: AuthSettings) -> None:
        self._store = store
        self._revocations = revocations
        self._tokens_live = settings.access_token_ttl + CLOCK_LEEWAY

    async def end(self, session_id: str, because: EndReason | None, notice: EventData | None = None) -> None:
        """Ends a session, with a notice to its user; one that has ended already, or is gone, is no error."""

        def change(session: Session, emit: Emit) -> Session:
            if session.ended_at:
                return session
            now = clock.now()
            emit(
                SessionRevoked(
                    session_id=session_id,
                    expires_at=now + self._tokens_live,
                    user_id=session.user_id,
                    organization_id=session.organization_id,
                    because=because,
                )
            )
            if notice:
                emit(notice)
            return session.model_copy(update={"ended_at": now, "ended_because": because})

        try:
            await self._store.sessions.update(session_id, change=change)
        except Missing:
            return
        reach(ENDED)
        await self._revocations.add(session_id)
        reach(REVOKED)

    async def end_all(self, user_id: str, *, kept: str | None = None) -> None:
        """Ends all sessions of a user, but `kept`, in one write. Raises Unauthorized when the account is gone."""

        def change(user: User, emit: Emit) -> User:
            return user.model_copy(update=sessions_ended(user, emit, clock.now(), kept=kept))

        try:
            changed = (await self._store.users.update(user_id, change=change)).value
        except Missing:
            raise Unauthorized("the account no longer exists") from None
        await self.tell(changed)

    async def end_keys(self, organization_id: str, user_id: str) -> None:
        """Ends the API keys of who is no member any more: joining again does not bring them back. Again, it changes
        nothing. A day later they are gone."""
        listed = await self._store.api_key_lists.get(organization_id, user_id)
        for key_id in listed.key_ids if listed else ():
            with suppress(Missing):
                await self._store.api_keys.update(key_id, change=key_ended, ttl=API_KEY_ENDED)
            await self._revocations.add(key_id)
        if listed:
            await self._store.api_key_lists.delete(organization_id, user_id)

    async def tell(self, user: User) -> None:
        """Has this service's replicas refuse what the user's document says has ended."""
        await self._revocations.cut(user.user_id, cut_of(user))


def key_ended(key: ApiKey, emit: Emit) -> ApiKey:
    """An API key that counts no more, with its events unless it has ended before."""
    if key.revoked_at:
        return key.model_copy()
    now = clock.now()
    whose = {"user_id": key.user_id, "organization_id": key.organization_id}
    emit(ApiKeyRevoked(key_id=key.key_id, **whose))
    emit(SessionRevoked(session_id=key.key_id, expires_at=now + TOKEN_LIFE + CLOCK_LEEWAY, **whose))
    return key.model_copy(update={"revoked_at": now})
