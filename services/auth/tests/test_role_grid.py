"""Every route that needs a permission × every role: who lacks it is refused, who has it is not."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from omnify_auth.records import Membership, User
from omnify_auth.routes import ROUTERS
from omnify_shared.permissions import ROLES

FIELD = re.compile(r"\{[^}]+\}")
NOBODY = "00000000-0000-7000-8000-000000000000"


def permissions(dependant: Dependant) -> Iterator[str]:
    if permission := getattr(dependant.call, "permission", None):
        yield permission
    for one in dependant.dependencies:
        yield from permissions(one)


GRID = sorted(
    (method, route.path, permission)
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
    for permission in set(permissions(route.dependant))
)


def test_the_grid_is_not_empty() -> None:
    assert len(GRID) >= 23
    assert {permission for _, _, permission in GRID} >= {"org:admin", "org:edit", "user:view", "user:invite"}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_comes_as_far_as_its_permissions(lab: Any, role: str) -> None:
    form = await lab.verified()
    signed_in = (await lab.login(form)).json()["user"]

    def change(user: User, _: Any) -> User:
        given = Membership(organization_id=signed_in["organization_id"], roles=(role,))
        return user.model_copy(update={"memberships": (given,)})

    await lab.auth.service.store.users.update(signed_in["user_id"], change=change)
    headers = {"authorization": f"Bearer {(await lab.login(form)).json()['access_token']}"}
    wrong = []
    for method, path, permission in GRID:
        url = path.replace("{organization_id:uuid}", signed_in["organization_id"])
        answer = await lab.auth.http.request(method, FIELD.sub(NOBODY, url), headers=headers, json={})
        refused = answer.status_code == 403 and answer.json().get("permission") == permission
        if answer.status_code >= 500 or refused == (permission in ROLES[role]):
            wrong.append((method, path, permission, answer.status_code))
    assert wrong == []
