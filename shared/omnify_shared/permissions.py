"""Roles and permissions (`<resource>:<action>`). A role is a set of permissions; nothing is denied by a role."""

from collections.abc import Iterable, Mapping

_ACTIONS = {
    "campaign": "view create edit delete publish",
    "creative": "view create edit delete",
    "analytics": "view export admin",
    "integration": "view connect disconnect manage",
    "user": "view invite edit delete",
    "org": "view edit billing admin",
    "agent": "view create edit execute delete",
    "settings": "view edit",
}
PERMISSIONS = frozenset(f"{resource}:{action}" for resource, actions in _ACTIONS.items() for action in actions.split())

_VIEWER = {f"{resource}:view" for resource in ("campaign", "creative", "analytics", "integration", "agent")}
_MEMBER = _VIEWER | {"campaign:create", "creative:create", "agent:execute"}
_MANAGER = _MEMBER | {
    "campaign:edit", "campaign:publish", "creative:edit", "analytics:export", "user:view", "settings:view"
}  # fmt: skip

ROLES: Mapping[str, frozenset[str]] = {
    "owner": PERMISSIONS,
    "admin": PERMISSIONS - {"user:delete", "org:billing", "org:admin", "agent:delete"},
    "manager": frozenset(_MANAGER),
    "member": frozenset(_MEMBER),
    "viewer": frozenset(_VIEWER),
}


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """The union of the roles' permissions; an unknown role has none."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))
