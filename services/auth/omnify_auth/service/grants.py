"""Permissions on one resource, until an end date.

They stand with the membership in the user's own document, of which tokens are made: one write gives or takes them and
makes the tokens of before out of date, and whoever leaves an organisation leaves them behind.
"""

import json
from collections.abc import Callable, Iterable
from datetime import timedelta

from omnify_auth.access import access_changed
from omnify_auth.organization_events import GrantGiven, GrantRevoked
from omnify_auth.records import Membership, ResourceGrant, User
from omnify_auth.service.directory import is_active
from omnify_auth.service.endings import Endings
from omnify_auth.store import Store
from omnify_auth.tokens import grants_claim
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.identity import Principal
from omnify_shared.problems import Conflict, Forbidden, NotFound, Unprocessable

LONGEST = timedelta(days=365)
ROOM = 1200  # characters of a token
_NOBODY = NotFound("no such member")
_Change = Callable[[tuple[ResourceGrant, ...], Emit], tuple[ResourceGrant, ...]]


class Grants:
    """Given and taken by who has these permissions for the whole organisation."""

    def __init__(self, store: Store, endings: Endings) -> None:
        self._store = store
        self._endings = endings

    async def of(self, actor: Principal, user_id: str) -> tuple[ResourceGrant, ...]:
        """What a member of the actor's organisation was granted and still has. Raises NotFound."""
        user = await self._store.users.get(user_id)
        return living(_membership(user, actor.organization_id).grants)

    async def give(self, actor: Principal, user_id: str, wanted: ResourceGrant) -> ResourceGrant:
        """Grants, in place of what was granted on the resource before.

        Raises NotFound for no member, Forbidden for what the actor lacks, Unprocessable, Conflict for too many.
        """
        _check(actor, wanted)

        def change(grants: tuple[ResourceGrant, ...], emit: Emit) -> tuple[ResourceGrant, ...]:
            made = (*_without(grants, wanted.resource_type, wanted.resource_id), wanted)
            if len(json.dumps(grants_claim(made))) > ROOM:
                raise Conflict("the member has too many grants: give a role instead")
            whose = {"user_id": user_id, "organization_id": actor.organization_id, "actor_id": actor.user_id}
            on = {"resource_type": wanted.resource_type, "resource_id": wanted.resource_id}
            emit(GrantGiven(**whose, **on, permissions=wanted.permissions, expires_at=wanted.expires_at))
            return made

        await self._change(actor, user_id, change)
        return wanted

    async def revoke(self, actor: Principal, user_id: str, resource_type: str, resource_id: str) -> None:
        """Takes what was granted on a resource. Raises NotFound, Forbidden."""

        def change(grants: tuple[ResourceGrant, ...], emit: Emit) -> tuple[ResourceGrant, ...]:
            left = _without(grants, resource_type, resource_id)
            gone = [one for one in grants if one not in left]
            if not gone:
                raise NotFound("no such grant")
            _holds(actor, gone[0].permissions)
            whose = {"user_id": user_id, "organization_id": actor.organization_id, "actor_id": actor.user_id}
            emit(GrantRevoked(**whose, resource_type=resource_type, resource_id=resource_id))
            return left

        await self._change(actor, user_id, change)

    async def _change(self, actor: Principal, user_id: str, change: _Change) -> None:
        def changed(user: User, emit: Emit) -> User:
            mine = _membership(user, actor.organization_id)
            given = mine.model_copy(update={"grants": change(living(mine.grants), emit)})
            memberships = tuple(given if one is mine else one for one in user.memberships)
            cut = access_changed(user, emit, clock.now(), organization_id=actor.organization_id)
            return user.model_copy(update={"memberships": memberships, **cut})

        try:
            stored = await self._store.users.update(user_id, change=changed)
        except Missing:
            raise _NOBODY from None
        await self._endings.tell(stored.value)


def living(grants: Iterable[ResourceGrant]) -> tuple[ResourceGrant, ...]:
    """Those that have not ended."""
    now = clock.now()
    return tuple(one for one in grants if now < one.expires_at)


def _membership(user: User | None, organization_id: str) -> Membership:
    if user is None or not is_active(user, organization_id):
        raise _NOBODY
    return next(one for one in user.memberships if one.organization_id == organization_id)


def _without(grants: Iterable[ResourceGrant], resource_type: str, resource_id: str) -> tuple[ResourceGrant, ...]:
    return tuple(one for one in grants if (one.resource_type, one.resource_id) != (resource_type, resource_id))


def _check(actor: Principal, wanted: ResourceGrant) -> None:
    _holds(actor, wanted.permissions)
    foreign = [one for one in wanted.permissions if one.partition(":")[0] != wanted.resource_type]
    if foreign:
        raise Unprocessable(f"permissions: {foreign[0]} is about another type of resource")
    if not clock.now() < wanted.expires_at <= clock.now() + LONGEST:
        raise Unprocessable("expires_at: must lie ahead, at most a year")


def _holds(actor: Principal, permissions: Iterable[str]) -> None:
    if lacking := set(permissions) - actor.permissions:
        raise Forbidden(f"you lack {', '.join(sorted(lacking))}, so you can neither give nor take it")
