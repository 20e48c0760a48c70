"""Roles that an organisation makes for itself.

One document per organisation. Tokens carry what the own roles of their user may do, so no service asks for it; where
that changes, auth's own event makes the tokens of all who have the role out of date.
"""

from collections.abc import Iterable

from omnify_auth.organization_events import RoleChanged, RoleCreated, RoleDeleted
from omnify_auth.role_book import CustomRole, RoleBook, entered
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_shared.identity import Principal
from omnify_shared.ids import new_id
from omnify_shared.permissions import ROLES
from omnify_shared.problems import Conflict, Forbidden

_EMPTY = RoleBook()


class Roles:
    """Nobody makes a role that may do what they may not."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def book(self, organization_id: str) -> RoleBook:
        """The roles of an organisation."""
        return await self._store.role_books.get(organization_id) or _EMPTY

    async def book_of(self, organization_id: str, roles: Iterable[str]) -> RoleBook:
        """As much of it as these roles need: nothing is read for those that every organisation has."""
        return _EMPTY if ROLES.keys() >= set(roles) else await self.book(organization_id)

    async def create(self, actor: Principal, name: str, description: str, permissions: Iterable[str]) -> CustomRole:
        """A new role. Raises Forbidden for what the actor lacks; Conflict for a name in use, or too many."""
        role = CustomRole(
            role_id=new_id(),
            name=name,
            description=description,
            permissions=_within(actor, permissions),
            created_at=clock.now(),
        )
        whose = {"organization_id": actor.organization_id, "actor_id": actor.user_id, "role_id": role.role_id}

        def change(book: RoleBook, emit: Emit) -> RoleBook:
            made = entered(book, role)
            emit(RoleCreated(**whose))
            return made

        await self._store.role_books.upsert(actor.organization_id, initial=lambda: _EMPTY, change=change)
        return role

    async def change(
        self, actor: Principal, role_id: str, name: str, description: str, permissions: Iterable[str]
    ) -> CustomRole:
        """Replaces what a role is. Raises NotFound, Forbidden, Conflict."""
        wanted = {"name": name, "description": description, "permissions": _within(actor, permissions)}

        def change(book: RoleBook, emit: Emit) -> RoleBook:
            before = book.custom(role_id)
            _within(actor, before.permissions)
            after = before.model_copy(update=wanted)
            if after == before:
                return book
            whose = {"organization_id": actor.organization_id, "actor_id": actor.user_id, "role_id": role_id}
            emit(RoleChanged(**whose, access_changed=after.permissions != before.permissions))
            return entered(book, after)

        stored = await self._store.role_books.upsert(actor.organization_id, initial=lambda: _EMPTY, change=change)
        return stored.value.custom(role_id)

    async def delete(self, actor: Principal, role_id: str) -> None:
        """Takes a role away that nobody has. Raises NotFound, Conflict."""
        roster = await self._store.rosters.get(actor.organization_id)
        holders = sum(role_id in one.roles for one in roster.members) if roster else 0
        asked = sum(role_id == one.role for one in roster.open(clock.now())) if roster else 0

        def change(book: RoleBook, emit: Emit) -> RoleBook:
            gone = book.custom(role_id)
            if holders or asked:
                raise Conflict(f"in use: {holders} members have the role, {asked} are invited to it")
            emit(RoleDeleted(organization_id=actor.organization_id, actor_id=actor.user_id, role_id=role_id))
            return RoleBook(roles=tuple(one for one in book.roles if one != gone))

        await self._store.role_books.upsert(actor.organization_id, initial=lambda: _EMPTY, change=change)


def _within(actor: Principal, permissions: Iterable[str]) -> tuple[str, ...]:
    wanted = set(permissions)
    if lacking := wanted - actor.permissions:
        raise Forbidden(f"you lack {', '.join(sorted(lacking))}, so you can neither give nor take it")
    return tuple(sorted(wanted))
