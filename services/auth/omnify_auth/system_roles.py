"""The roles every organisation has. What each may do is in `omnify_shared.permissions`, read by every service."""

from dataclasses import dataclass

from omnify_shared.permissions import ROLES
from omnify_shared.problems import NotFound

_DESCRIPTIONS = {
    "owner": "Everything, with billing and roles.",
    "admin": "Everything but billing, roles, and deleting users or agents.",
    "manager": "Runs campaigns and creatives, exports figures.",
    "member": "Creates campaigns and creatives, runs agents.",
    "viewer": "Looks on.",
}


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of permissions, which are sorted."""

    role_id: str
    description: str
    permissions: tuple[str, ...]


SYSTEM_ROLES = tuple(Role(name, _DESCRIPTIONS[name], tuple(sorted(held))) for name, held in ROLES.items())


def role(role_id: str) -> Role:
    """The role of that id. Raises NotFound."""
    for one in SYSTEM_ROLES:
        if one.role_id == role_id:
            return one
    raise NotFound("no such role")
