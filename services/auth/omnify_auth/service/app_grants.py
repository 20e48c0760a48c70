"""What users let apps do: asked once, remembered for the scopes, withdrawn in one write."""

from omnify_auth.app_grants import SESSIONS, AppGrant, AppGrantList
from omnify_auth.clients import OAuthClient
from omnify_auth.events import AppGrantGiven, AppGrantWithdrawn
from omnify_auth.service.endings import Endings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.problems import NotFound


class AppGrants:
    """The grant decides about an app's sessions: one that it does not name, or a withdrawn one's, gets nothing."""

    def __init__(self, store: Store, endings: Endings) -> None:
        self._store = store
        self._endings = endings

    async def covers(self, user_id: str, client_id: str, scope: tuple[str, ...]) -> bool:
        """Whether the user allowed all of this before."""
        grant = await self._store.app_grants.get(user_id, client_id)
        return grant is not None and grant.covers(scope)

    async def holds(self, user_id: str, client_id: str, session_id: str) -> bool:
        """Whether a session of the app may go on."""
        grant = await self._store.app_grants.get(user_id, client_id)
        return grant is not None and grant.holds(session_id)

    async def give(self, user_id: str, client: OAuthClient, scope: tuple[str, ...]) -> None:
        """Remembers that the user allows the app these scopes, beside those of before."""
        await self.settle(user_id, client.client_id)
        await self._list(user_id, client.client_id)

        def change(grant: AppGrant, emit: Emit) -> AppGrant:
            if grant.covers(scope):
                return grant
            before = () if grant.withdrawn_at else grant.scopes
            scopes = tuple(dict.fromkeys((*before, *scope)))
            whose = {"user_id": user_id, "client_id": client.client_id, "organization_id": client.organization_id}
            emit(AppGrantGiven(**whose, scopes=scopes))
            fresh = {"session_ids": ()} if grant.withdrawn_at else {}
            given = {"scopes": scopes, "given_at": clock.now(), "withdrawn_at": None}
            return grant.model_copy(update={**given, **fresh})

        nothing = AppGrant(
            user_id=user_id,
            client_id=client.client_id,
            organization_id=client.organization_id,
            scopes=(),
            given_at=clock.now(),
            withdrawn_at=None,
            session_ids=(),
        )
        await self._store.app_grants.upsert(user_id, client.client_id, initial=lambda: nothing, change=change)

    async def admit(self, user_id: str, client_id: str, scope: tuple[str, ...], session_id: str) -> bool:
        """Adds a session of the app, whose oldest too many end; False where the scopes are not allowed any more."""
        over: tuple[str, ...] = ()

        def change(grant: AppGrant, emit: Emit) -> AppGrant:
            nonlocal over
            if not grant.covers(scope):
                return grant
            ids = (*grant.session_ids, session_id)
            over = ids[:-SESSIONS]
            return grant.model_copy(update={"session_ids": ids[-SESSIONS:]})

        try:
            grant = (await self._store.app_grants.update(user_id, client_id, change=change)).value
        except Missing:
            return False
        for one in over:
            await self._endings.end(one, None)
        return grant.holds(session_id)

    async def of(self, user_id: str) -> tuple[tuple[AppGrant, OAuthClient], ...]:
        """What the user allows, newest app first; of apps that are gone nothing."""
        listed = await self._store.app_grant_lists.get(user_id)
        ids = tuple(reversed(listed.client_ids)) if listed else ()
        grants = await self._store.app_grants.get_many((user_id, one) for one in ids)
        clients = await self._store.clients.get_many((one,) for one in ids)
        pairs = ((grants.get((user_id, one)), clients.get((one,))) for one in ids)
        return tuple(
            (grant, client)
            for grant, client in pairs
            if grant and client and not grant.withdrawn_at and not client.deleted_at
        )

    async def withdraw(self, user_id: str, client_id: str) -> None:
        """Ends what the user allows an app: its tokens are refused in every service. Raises NotFound."""

        def change(grant: AppGrant, emit: Emit) -> AppGrant:
            if grant.withdrawn_at:
                raise NotFound("no such grant")
            whose = {"user_id": user_id, "client_id": client_id, "organization_id": grant.organization_id}
            emit(AppGrantWithdrawn(**whose))
            return grant.model_copy(update={"withdrawn_at": clock.now()})

        try:
            await self._store.app_grants.update(user_id, client_id, change=change)
        except Missing:
            raise NotFound("no such grant") from None
        await self.settle(user_id, client_id)

    async def settle(self, user_id: str, client_id: str) -> None:
        """Ends the sessions of a grant that is withdrawn; once more changes nothing."""
        grant = await self._store.app_grants.get(user_id, client_id)
        if grant and grant.withdrawn_at:
            for one in grant.session_ids:
                await self._endings.end(one, None)

    async def _list(self, user_id: str, client_id: str) -> None:
        def change(listed: AppGrantList, emit: Emit) -> AppGrantList:
            if client_id in listed.client_ids:
                return listed
            return AppGrantList(client_ids=(*listed.client_ids, client_id))

        none = AppGrantList(client_ids=())
        await self._store.app_grant_lists.upsert(user_id, initial=lambda: none, change=change)
