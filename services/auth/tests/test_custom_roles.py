"""Roles that an organisation makes for itself, on real sidecars."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

ANALYST: dict[str, Any] = {
    "name": "Analyst",
    "description": "Looks at figures.",
    "permissions": ["analytics:view", "analytics:export"],
}


async def rbac(person: Any, method: str, path: str = "/roles", **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {person.tokens['access_token']}"}
    extra: dict[str, Any] = {"json": body} if method in ("POST", "PUT") else {}
    answer: httpx.Response = await person.lab.auth.http.request(method, f"/api/rbac{path}", headers=headers, **extra)
    return answer


async def may(person: Any) -> set[str]:
    answer = await rbac(person, "GET", "/permissions")
    assert answer.status_code == 200, answer.text
    return set(answer.json()["role_permissions"])


async def made(owner: Any, **fields: Any) -> str:
    answer = await rbac(owner, "POST", **(ANALYST | fields))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["role_id"])


async def test_a_role_of_ones_own_is_listed_given_and_holds_in_the_token(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague("viewer")
    role = await made(owner)
    listed = (await rbac(guest, "GET")).json()["roles"]
    assert [(one["role_id"], one["name"], one["is_system_role"]) for one in listed[5:]] == [(role, "Analyst", False)]
    assert (await rbac(guest, "GET", f"/roles/{role}")).json()["permissions"] == sorted(ANALYST["permissions"])
    assert (await owner.here("PATCH", f"/members/{guest.id}", roles=[role])).status_code == 200
    await guest.refresh()
    assert await may(guest) == set(ANALYST["permissions"])
    assert (await owner.here("POST", "/invitations", email="z@guests.example.com", role=role)).status_code == 201


async def test_a_change_reaches_all_who_have_the_role(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    role = await made(owner)
    guest = await owner.colleague(role)
    assert await may(guest) == set(ANALYST["permissions"])
    changed = ANALYST | {"permissions": ["campaign:view"]}
    assert (await rbac(owner, "PUT", f"/roles/{role}", **changed)).status_code == 200
    async with asyncio.timeout(30):
        while (await rbac(guest, "GET", "/permissions")).status_code != 401:
            await asyncio.sleep(0.05)
    await guest.refresh()
    assert await may(guest) == {"campaign:view"}
    renamed = await rbac(owner, "PUT", f"/roles/{role}", **(changed | {"name": "Watcher"}))
    assert renamed.json()["name"] == "Watcher"


async def test_an_api_key_has_what_the_role_gives(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague(await made(owner))
    expires = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    form = {"name": "Nightly", "scopes": ["analytics:export"], "expires_at": expires}
    headers = {"authorization": f"Bearer {guest.tokens['access_token']}"}
    key = (await lab.auth.http.post("/api/api-keys", json=form, headers=headers)).json()["api_key"]
    gateway = {"dapr-caller-app-id": "gateway"}
    exchanged = await lab.auth.http.post("/internal/api-keys/exchange", json={"api_key": key}, headers=gateway)
    principal = await lab.auth.app.state.platform.identity.verify(exchanged.json()["access_token"])
    assert principal.permissions == {"analytics:export"}


async def test_a_role_in_use_stays(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    role = await made(owner)
    guest = await owner.colleague(role)
    refused = await rbac(owner, "DELETE", f"/roles/{role}")
    assert refused.status_code == 409
    assert "1 members" in refused.json()["detail"]
    assert (await owner.here("PATCH", f"/members/{guest.id}", roles=["viewer"])).status_code == 200
    assert (await rbac(owner, "DELETE", f"/roles/{role}")).status_code == 204
    assert (await rbac(owner, "GET", f"/roles/{role}")).status_code == 404


async def test_names_are_unique_and_32_at_once_make_one(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    answers = await asyncio.gather(*(rbac(owner, "POST", **ANALYST) for _ in range(32)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 409, 503}
    for name in ("ANALYST", "Owner"):
        assert (await rbac(owner, "POST", **(ANALYST | {"name": name}))).status_code == 409


async def test_who_may_not_administer_makes_no_roles_and_foreign_roles_are_not_there(lab: Any, new_person: Any) -> None:
    owner, foreign = await new_person(), await new_person()
    admin = await owner.colleague("admin")
    role = await made(owner)
    for method, path in (("POST", "/roles"), ("PUT", f"/roles/{role}"), ("DELETE", f"/roles/{role}")):
        assert (await rbac(admin, method, path, **ANALYST)).status_code == 403
        if path != "/roles":
            assert (await rbac(foreign, method, path, **ANALYST)).status_code == 404
    assert (await rbac(foreign, "GET", f"/roles/{role}")).status_code == 404
    guest = await foreign.colleague("viewer")
    assert (await foreign.here("PATCH", f"/members/{guest.id}", roles=[role])).status_code == 422
    assert (await rbac(owner, "POST", **(ANALYST | {"permissions": ["campaign:everything"]}))).status_code == 422
    assert (await rbac(owner, "PUT", "/roles/owner", **ANALYST)).status_code == 422


async def test_an_admin_gives_no_role_that_may_more_than_they(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    admin, guest = await owner.colleague("admin"), await owner.colleague("viewer")
    mighty = await made(owner, name="Mighty", permissions=["org:billing"])
    assert (await admin.here("PATCH", f"/members/{guest.id}", roles=[mighty])).status_code == 403
    assert (await admin.here("POST", "/invitations", email="q@guests.example.com", role=mighty)).status_code == 403
    assert (await owner.here("PATCH", f"/members/{guest.id}", roles=["viewer", mighty])).status_code == 200
    assert (await admin.here("PATCH", f"/members/{guest.id}", roles=["viewer"])).status_code == 403, "nor takes it"


@pytest.mark.parametrize("permission", ["user:invite", "integration:connect", "campaign:delete", "analytics:admin"])
async def test_a_role_that_may_what_only_admins_may_is_privileged(lab: Any, new_person: Any, permission: str) -> None:
    owner = await new_person()
    role = await made(owner, name="Mighty", permissions=[permission])
    policy = lab.auth.service.mfa_policies
    guest = await owner.colleague(role)
    user = await lab.auth.service.store.users.get(guest.id)
    old = user.model_copy(update={"created_at": user.created_at - timedelta(days=30)})
    assert await policy.demands(owner.organization_id, old, (role,))
    assert not await policy.demands(owner.organization_id, old, ("manager",))
    assert await policy.demands(owner.organization_id, old, ("admin",))
