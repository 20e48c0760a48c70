"""Organisations: founding, naming, working in one, deleting.

Order of the writes of a founding: the organisation, its roster with the event, the founder's document. A crash after
the first leaves a name that nobody belongs to; after the second, auth's own event makes it good.
"""

from datetime import timedelta

from omnify_auth.access import access_changed
from omnify_auth.organization_events import OrganizationCreated, OrganizationDeleted, OrganizationRenamed
from omnify_auth.records import Membership, Organization, Session, User
from omnify_auth.rosters import OWNER, Member, Roster
from omnify_auth.service.clients import Clients
from omnify_auth.service.directory import Directory, is_active
from omnify_auth.service.endings import Endings
from omnify_auth.service.members import Members
from omnify_auth.service.session_policy import SessionPolicies
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.identity import Principal
from omnify_shared.ids import new_id
from omnify_shared.problems import Conflict, NotFound, Unauthorized, Unprocessable

MOST = 50  # organisations of a user
_NONE = NotFound("no such organisation")


class Organizations:
    """A user may belong to several, and to none; a session works in one."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        members: Members,
        clients: Clients,
        lengths: SessionPolicies,
        endings: Endings,
    ) -> None:
        self._directory = directory
        self._store = store
        self._members = members
        self._clients = clients
        self._lengths = lengths
        self._endings = endings

    async def of(self, user_id: str) -> tuple[tuple[Organization, Membership], ...]:
        """The organisations that a user belongs to."""
        user = await self._directory.contact(user_id)
        found = await self._store.organizations.get_many((one.organization_id,) for one in user.memberships)
        rows = ((found.get((one.organization_id,)), one) for one in user.memberships)
        return tuple((organization, one) for organization, one in rows if organization)

    async def one(self, organization_id: str) -> Organization:
        """An organisation. Raises NotFound."""
        organization = await self._store.organizations.get(organization_id)
        if organization is None:
            raise _NONE
        return organization

    async def found(self, user_id: str, name: str) -> Organization:
        """A new organisation, owned by the user. Raises Conflict for who has too many."""
        user = await self._directory.contact(user_id)
        if len(user.memberships) >= MOST:
            raise Conflict(f"a user may belong to {MOST} organisations")
        now, organization_id = clock.now(), new_id()
        organization = Organization(organization_id=organization_id, name=name, created_at=now)
        await self._store.organizations.create(organization_id, value=organization, fresh=True)
        owner = Member(user_id=user_id, roles=(OWNER,), joined_at=now)
        roster = Roster(organization_id=organization_id, members=(owner,))
        created = OrganizationCreated(organization_id=organization_id, user_id=user_id)
        await self._store.rosters.create(organization_id, value=roster, events=(created,), fresh=True)
        await self._members.settle(organization_id, user_id)
        return organization

    async def rename(self, actor: Principal, name: str) -> Organization:
        """Gives the actor's organisation another name. Raises NotFound."""

        def change(organization: Organization, emit: Emit) -> Organization:
            if organization.name == name:
                return organization
            emit(OrganizationRenamed(organization_id=organization.organization_id, actor_id=actor.user_id))
            return organization.model_copy(update={"name": name})

        try:
            return (await self._store.organizations.update(actor.organization_id, change=change)).value
        except Missing:
            raise _NONE from None

    async def switch(self, principal: Principal, organization_id: str) -> tuple[Session, User]:
        """Has a session work in another of its user's organisations; its tokens of before are refused.

        Raises NotFound where the user may not work; Unauthorized when the session has ended.
        """
        user = await self._directory.contact(principal.user_id)
        if not is_active(user, organization_id):
            raise _NONE
        session = await self._moved(principal.session_id, organization_id)

        def change(user: User, emit: Emit) -> User:
            if not is_active(user, organization_id):
                raise _NONE
            cut = access_changed(user, emit, clock.now(), organization_id=organization_id)
            return user.model_copy(update={"home_organization_id": organization_id, **cut})

        user = (await self._store.users.update(user.user_id, change=change)).value
        await self._endings.tell(user)
        return session, user

    async def delete(self, actor: Principal, name: str) -> None:
        """Ends the actor's organisation, for who types its name: its members', apps' and keys' access ends.

        Raises NotFound; Unprocessable for another name; Conflict for who is no owner.
        """
        organization = await self.one(actor.organization_id)
        if organization.name != name:
            raise Unprocessable("name: is not the organisation's name")

        def change(roster: Roster, emit: Emit) -> Roster:
            if OWNER not in roster.member(actor.user_id).roles:
                raise Conflict("only an owner can delete the organisation")
            emit(OrganizationDeleted(organization_id=roster.organization_id, actor_id=actor.user_id))
            return roster.model_copy(update={"deleted_at": clock.now(), "invitations": ()})

        await self._members.write(actor, change)
        await self.clear(actor.organization_id, actor.user_id)

    async def clear(self, organization_id: str, actor_id: str) -> None:
        """What follows a deletion, as often as it is asked for; the name and the list of members go last."""
        roster = await self._store.rosters.get(organization_id)
        if roster is None or not roster.deleted_at:
            return
        await self._clients.delete_all(organization_id, actor_id)
        for member in roster.members:
            await self._members.settle(organization_id, member.user_id)
        if roster.members:
            await self._store.rosters.update(organization_id, change=_emptied)
            await self._store.organizations.update(organization_id, change=_unnamed)

    async def _moved(self, session_id: str, organization_id: str) -> Session:
        lengths = await self._lengths.lengths(organization_id)

        def change(session: Session, emit: Emit) -> Session:
            if session.ended_at or session.client_id:
                raise Unauthorized("the session has ended")
            expires_at = min(session.expires_at, session.signed_in_at + lengths.overall)
            idle = min(lengths.idle, timedelta(seconds=session.idle_seconds or lengths.idle.total_seconds()))
            moved = {
                "organization_id": organization_id,
                "expires_at": expires_at,
                "idle_expires_at": min(session.idle_expires_at, clock.now() + idle, expires_at),
                "idle_seconds": int(idle.total_seconds()),
            }
            return session.model_copy(update=moved)

        try:
            session = (await self._store.sessions.update(session_id, change=change)).value
        except Missing:
            raise Unauthorized("the session has ended") from None
        if session.expires_at <= clock.now():
            raise Unauthorized("the session is older than this organisation allows: sign in again")
        return session


def _emptied(roster: Roster, emit: Emit) -> Roster:
    return roster.model_copy(update={"members": ()})


def _unnamed(organization: Organization, emit: Emit) -> Organization:
    return organization.model_copy(update={"name": ""})
