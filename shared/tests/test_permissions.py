"""The table of roles and permissions."""

from itertools import pairwise

import pytest

from omnify_shared.permissions import PERMISSIONS, ROLES, permissions_of


def test_there_are_31_permissions_of_the_form_resource_action() -> None:
    assert len(PERMISSIONS) == 31
    assert all(len(name.split(":")) == 2 and name == name.lower() for name in PERMISSIONS)


def test_each_role_has_what_the_lower_one_has() -> None:
    order = ["viewer", "member", "manager", "admin", "owner"]
    assert set(ROLES) == set(order)
    for lower, higher in pairwise(order):
        assert ROLES[lower] < ROLES[higher]
    assert ROLES["owner"] == PERMISSIONS
    assert {len(ROLES[role]) for role in order} == {5, 8, 14, 27, 31}


@pytest.mark.parametrize(
    ("permission", "lowest"),
    [
        ("analytics:view", "viewer"),
        ("campaign:create", "member"),
        ("agent:execute", "member"),
        ("campaign:publish", "manager"),
        ("analytics:export", "manager"),
        ("user:invite", "admin"),
        ("integration:connect", "admin"),
        ("settings:edit", "admin"),
        ("org:billing", "owner"),
        ("user:delete", "owner"),
    ],
)
def test_who_may_at_least(permission: str, lowest: str) -> None:
    order = ["viewer", "member", "manager", "admin", "owner"]
    assert [role for role in order if permission in ROLES[role]] == order[order.index(lowest) :]


def test_roles_add_up_and_unknown_ones_give_nothing() -> None:
    assert permissions_of(["viewer", "member"]) == ROLES["member"]
    assert permissions_of(["root", "OWNER", ""]) == frozenset()
    assert permissions_of([]) == frozenset()
