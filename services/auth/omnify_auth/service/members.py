"""Who belongs to an organisation, and as what.

The roster is the truth and is written first, in one write. What a user's own document says, of which tokens are made,
follows at once, and again when auth hears the event of the roster's write: so a crash in between is made good.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from omnify_auth.access import access_changed
from omnify_auth.organization_events import MemberChanged, MemberRemoved, MemberSignedOut, OwnershipTransferred
from omnify_auth.records import Membership, User
from omnify_auth.rosters import Roster, changed, founded, handed_over
from omnify_auth.service.endings import Endings
from omnify_auth.service.roles import Roles
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Contended, Missing
from omnify_shared.documents import TRIES, Emit
from omnify_shared.faults import point, reach
from omnify_shared.identity import Principal
from omnify_shared.problems import Forbidden, NotFound

LISTED = point("auth.members.listed")

Change = Callable[[Roster, Emit], Roster]


class Members:
    """Changes to rosters, each judged by what the actor is in the very roster that it changes."""

    def __init__(self, store: Store, roles: Roles, endings: Endings) -> None:
        self._store = store
        self._roles = roles
        self._endings = endings

    async def roster(self, actor: Principal) -> Roster:
        """The roster of the organisation that the actor works in. Raises NotFound."""
        found = await self._store.rosters.get(actor.organization_id)
        return found or founded(await self._user(actor.user_id), actor.organization_id)

    async def page(self, actor: Principal, after: str | None, limit: int) -> tuple[tuple[User, Membership], ...]:
        """At most `limit` members by their ids, those behind `after`."""
        roster = await self.roster(actor)
        ids = sorted(member.user_id for member in roster.members if after is None or member.user_id > after)[:limit]
        users = await self._store.users.get_many((user_id,) for user_id in ids)
        rows = ((users.get((user_id,)), roster.membership(user_id)) for user_id in ids)
        return tuple((user, membership) for user, membership in rows if user and membership)

    async def change(
        self, actor: Principal, user_id: str, *, roles: tuple[str, ...] | None, disabled: bool | None
    ) -> Membership:
        """Gives a member other roles, or disables or enables them. Raises NotFound, Forbidden, Conflict."""
        book = await self._roles.book(actor.organization_id)

        def change(roster: Roster, emit: Emit) -> Roster:
            member = roster.member(user_id)
            book.check_gives(_held(roster, actor), *member.roles, *(roles or ()))
            if disabled and user_id == actor.user_id:
                raise Forbidden("nobody can disable themselves; leave the organisation instead")
            at = member.disabled_at if disabled is None else (member.disabled_at or clock.now()) if disabled else None
            wanted = member.model_copy(update={"roles": roles or member.roles, "disabled_at": at})
            if wanted == member:
                return roster
            whose = {"user_id": user_id, "organization_id": roster.organization_id, "actor_id": actor.user_id}
            emit(MemberChanged(**whose, roles=wanted.roles, disabled=at is not None))
            return changed(roster, user_id, lambda _: wanted)

        roster = await self.write(actor, change)
        await self.follow(roster, user_id)
        return roster.membership(user_id) or _gone()

    async def check_governs(self, actor: Principal, user_id: str) -> None:
        """Raises NotFound for no member; Forbidden for one who may do more than the actor, and for the actor."""
        book, roster = await self._roles.book(actor.organization_id), await self.roster(actor)
        if user_id == actor.user_id:
            raise Forbidden("nobody can do this for themselves")
        book.check_gives(_held(roster, actor), *roster.member(user_id).roles)

    async def note_sign_out(self, actor: Principal, user_id: str) -> None:
        """Notes that the actor ends a member's sessions. Raises NotFound; Forbidden for a mightier member."""
        book = await self._roles.book(actor.organization_id)

        def change(roster: Roster, emit: Emit) -> Roster:
            book.check_gives(_held(roster, actor), *roster.member(user_id).roles)
            whose = {"user_id": user_id, "organization_id": roster.organization_id, "actor_id": actor.user_id}
            emit(MemberSignedOut(**whose))
            return roster

        await self.write(actor, change)

    async def remove(self, actor: Principal, user_id: str) -> None:
        """Takes a member away. Raises NotFound, Forbidden, Conflict for the last owner."""
        book = await self._roles.book(actor.organization_id)

        def change(roster: Roster, emit: Emit) -> Roster:
            book.check_gives(_held(roster, actor), *roster.member(user_id).roles)
            return _removed(roster, emit, user_id, actor.user_id)

        await self.follow(await self.write(actor, change), user_id)

    async def leave(self, user_id: str, organization_id: str) -> None:
        """Ends one's own membership. Raises NotFound; Conflict for the last owner."""
        user = await self._user(user_id)
        founder = founded(user, organization_id)

        def change(roster: Roster, emit: Emit) -> Roster:
            return _removed(roster, emit, user_id, user_id)

        stored = await self._store.rosters.upsert(organization_id, initial=lambda: founder, change=change)
        await self.follow(stored.value, user_id)

    async def transfer(self, actor: Principal, heir_id: str) -> None:
        """Makes another member owner; the actor steps down to admin. Raises NotFound, Conflict."""

        def change(roster: Roster, emit: Emit) -> Roster:
            handed = handed_over(roster, actor.user_id, heir_id)
            whose = {"user_id": heir_id, "organization_id": roster.organization_id, "actor_id": actor.user_id}
            emit(OwnershipTransferred(**whose))
            return handed

        roster = await self.write(actor, change)
        await self.follow(roster, heir_id)
        await self.follow(roster, actor.user_id)

    async def write(self, actor: Principal, change: Change) -> Roster:
        """Changes the roster of the organisation that the actor works in."""
        founder = await self.roster(actor)

        def own(roster: Roster, emit: Emit) -> Roster:
            if not roster.has(actor.user_id):
                raise NotFound("no such organisation")
            return change(roster, emit)

        stored = await self._store.rosters.upsert(actor.organization_id, initial=lambda: founder, change=own)
        return stored.value

    async def follow(self, roster: Roster, user_id: str) -> None:
        """What a write of the roster is followed by, for the user that it was about."""
        reach(LISTED)
        await self.settle(roster.organization_id, user_id)

    async def settle(self, organization_id: str, user_id: str) -> None:
        """Has a user's document say what the roster says, and ends the API keys of who is no member any more.

        Raises Contended where the roster never stands still.
        """
        for _ in range(TRIES):
            found = await self._store.rosters.load(organization_id)
            if found is None:
                return
            await self._copy(user_id, organization_id, found.value.membership(user_id))
            again = await self._store.rosters.load(organization_id)
            if again and again.version == found.version:
                if not found.value.has(user_id):
                    await self._endings.end_keys(organization_id, user_id)
                return
        raise Contended("the organisation's members changed all the time")

    async def _copy(self, user_id: str, organization_id: str, wanted: Membership | None) -> None:
        cut = False

        def change(user: User, emit: Emit) -> User:
            nonlocal cut
            known = {one.organization_id: one for one in user.memberships}
            cut = False
            before = known.get(organization_id)
            after = wanted.model_copy(update={"grants": before.grants}) if wanted and before else wanted
            if before == after:
                return user
            cut = before is not None
            kept = tuple(one for one in user.memberships if one.organization_id != organization_id)
            made = {"memberships": (*kept, after) if after else kept}
            if cut:
                made |= access_changed(user, emit, clock.now(), organization_id=organization_id)
            return user.model_copy(update=made)

        try:
            stored = await self._store.users.update(user_id, change=change)
        except Missing:
            return
        if cut:
            await self._endings.tell(stored.value)

    async def cut_holders(self, organization_id: str, role_id: str, since: datetime) -> None:
        """Has the tokens of all who have a role refused that are of before it changed; again, it changes nothing."""
        roster = await self._store.rosters.get(organization_id)
        for member in roster.members if roster else ():
            if role_id in member.roles:
                await self._cut(member.user_id, organization_id, since)

    async def _cut(self, user_id: str, organization_id: str, since: datetime) -> None:
        def change(user: User, emit: Emit) -> User:
            if user.access_changed_at and user.access_changed_at > since:
                return user
            cut = access_changed(user, emit, clock.now(), organization_id=organization_id)
            return user.model_copy(update=cut)

        with suppress(Missing):
            await self._endings.tell((await self._store.users.update(user_id, change=change)).value)

    async def _user(self, user_id: str) -> User:
        user = await self._store.users.get(user_id)
        if user is None:
            raise NotFound("no such organisation")
        return user


def _held(roster: Roster, actor: Principal) -> tuple[str, ...]:
    member = roster.member(actor.user_id)
    return () if member.disabled_at else member.roles


def _removed(roster: Roster, emit: Emit, user_id: str, actor_id: str) -> Roster:
    left = changed(roster, user_id, lambda _: None)
    emit(MemberRemoved(user_id=user_id, organization_id=roster.organization_id, actor_id=actor_id))
    return left


def _gone() -> Membership:
    raise NotFound("no such member")
