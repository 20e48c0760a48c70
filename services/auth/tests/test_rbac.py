"""Roles and permissions, on real sidecars."""

from typing import Any

import httpx2 as httpx
import pytest

from omnify_auth.records import Membership, User
from omnify_shared.documents import Emit
from omnify_shared.permissions import PERMISSIONS

COUNTS = {"owner": 31, "admin": 27, "manager": 14, "member": 8, "viewer": 5}  # of the reference
ROUTES = (("GET", "/roles"), ("GET", "/roles/owner"), ("GET", "/permissions"), ("POST", "/permissions/check"))


async def ask(lab: Any, token: str, method: str, path: str, **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    answer = await lab.auth.http.request(method, f"/api/rbac{path}", headers=headers, json=body or None)
    assert isinstance(answer, httpx.Response)
    return answer


async def token_of(lab: Any, *roles: str) -> str:
    """The access token of a new person who has these roles."""
    form = await lab.verified()
    user_id = (await lab.login(form)).json()["user"]["user_id"]

    def change(user: User, _: Emit) -> User:
        [home] = user.memberships
        given = Membership(organization_id=home.organization_id, roles=roles)
        return user.model_copy(update={"memberships": (given,)})

    await lab.auth.service.store.users.update(user_id, change=change)
    return str((await lab.login(form)).json()["access_token"])


async def test_the_roles_are_those_of_the_reference(lab: Any) -> None:
    token = await token_of(lab, "viewer")
    answer = (await ask(lab, token, "GET", "/roles")).json()
    assert {one["role_id"]: len(one["permissions"]) for one in answer["roles"]} == COUNTS
    assert answer["count"] == len(COUNTS)
    for one in answer["roles"]:
        assert (await ask(lab, token, "GET", f"/roles/{one['role_id']}")).json() == one
        assert one["is_system_role"] is True
    unknown = await ask(lab, token, "GET", "/roles/custom_unknown")
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("name", COUNTS)
async def test_a_role_has_its_permissions_and_no_others(lab: Any, name: str) -> None:
    token = await token_of(lab, name)
    expected = set((await ask(lab, token, "GET", f"/roles/{name}")).json()["permissions"])
    assert len(expected) == COUNTS[name]
    own = (await ask(lab, token, "GET", "/permissions")).json()
    assert own == {"roles": [name], "role_permissions": sorted(expected), "resource_permissions": []}
    for permission in sorted(PERMISSIONS):
        answer = await ask(lab, token, "POST", "/permissions/check", permission=permission)
        assert answer.json() == {"has_permission": permission in expected, "permission": permission}
        assert answer.headers["cache-control"] == "no-store"


async def test_an_unknown_role_may_do_nothing(lab: Any) -> None:
    token = await token_of(lab, "made-up")
    assert (await ask(lab, token, "GET", "/permissions")).json()["role_permissions"] == []
    answer = await ask(lab, token, "POST", "/permissions/check", permission="campaign:view")
    assert answer.json()["has_permission"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"permission": "campaign:fly"},
        {"permission": "campaign:view", "resource_type": "campaign"},
        {"permission": "campaign:view", "resource_id": "one"},
        {"permission": "campaign:view", "resource_type": "moon", "resource_id": "one"},
        {"permission": "campaign:view", "organization_id": "another"},
    ],
)
async def test_a_check_is_refused_that_makes_no_sense(lab: Any, body: dict[str, str]) -> None:
    assert (await ask(lab, await token_of(lab, "owner"), "POST", "/permissions/check", **body)).status_code == 422


async def test_all_of_it_is_for_who_is_signed_in(lab: Any) -> None:
    for method, path in ROUTES:
        assert (await lab.auth.http.request(method, f"/api/rbac{path}")).status_code == 401
