"""The roles every organisation has. What each may do is in `omnify_shared.permissions`, read by every service."""

from dataclasses import dataclass

from omnify_shared.permissions import ROLES

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
