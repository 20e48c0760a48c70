"""The roles of an organisation: the five that all have, and its own."""

from collections.abc import Iterable
from datetime import datetime

from omnify_auth.records import Record
from omnify_auth.system_roles import SYSTEM_ROLES, Role
from omnify_shared.permissions import ROLES, permissions_of
from omnify_shared.problems import Conflict, Forbidden, NotFound, Unprocessable

MOST = 50


class CustomRole(Record):
    """A role that an organisation made; its permissions are sorted."""

    role_id: str
    name: str
    description: str
    permissions: tuple[str, ...]
    created_at: datetime


class RoleBook(Record):
    """An organisation's own roles, oldest first."""

    roles: tuple[CustomRole, ...] = ()

    def custom(self, role_id: str) -> CustomRole:
        """One of the organisation's own. Raises NotFound."""
        for one in self.roles:
            if one.role_id == role_id:
                return one
        raise NotFound("no such role")

    def one(self, role_id: str) -> Role | CustomRole:
        """Any role. Raises NotFound."""
        system = next((one for one in SYSTEM_ROLES if one.role_id == role_id), None)
        return system or self.custom(role_id)

    def own_permissions(self, roles: Iterable[str]) -> frozenset[str]:
        """What the organisation's own among these roles may do together."""
        names = set(roles)
        return frozenset().union(*(one.permissions for one in self.roles if one.role_id in names))

    def permissions(self, roles: Iterable[str]) -> frozenset[str]:
        """What these roles may do together; an unknown one may do nothing."""
        names = tuple(roles)
        return permissions_of(names) | self.own_permissions(names)

    def check_gives(self, held: Iterable[str], *roles: str) -> None:
        """Raises Unprocessable for a role that there isn't, Forbidden for one that may do more than those `held`."""
        known = {*ROLES, *(one.role_id for one in self.roles)}
        for name in roles:
            if name not in known:
                raise Unprocessable(f"there is no role {name[:80]!r}")
        lacking = self.permissions(roles) - self.permissions(held)
        if lacking:
            raise Forbidden(f"you lack {', '.join(sorted(lacking))}, so you can neither give nor take it")


def entered(book: RoleBook, role: CustomRole) -> RoleBook:
    """The book with a role, new or in place of the one of its id. Raises Conflict for a name in use, or when full."""
    others = [one for one in book.roles if one.role_id != role.role_id]
    names = {*ROLES, *(one.name.casefold() for one in others)}
    if role.name.casefold() in names:
        raise Conflict("there is a role of this name")
    if len(others) >= MOST:
        raise Conflict(f"an organisation may have {MOST} roles of its own")
    if len(others) == len(book.roles):
        return RoleBook(roles=(*book.roles, role))
    return RoleBook(roles=tuple(role if one.role_id == role.role_id else one for one in book.roles))
