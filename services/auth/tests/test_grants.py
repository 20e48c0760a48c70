"""Permissions on one resource with an end date, on real sidecars."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from starlette.requests import Request

from omnify_shared.identity import allowed
from omnify_shared.problems import Forbidden

IN_A_MONTH = (datetime.now(UTC) + timedelta(days=30)).isoformat()


async def ask(person: Any, method: str, path: str, **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {person.tokens['access_token']}"}
    extra: dict[str, Any] = {"json": body} if method == "POST" else {}
    answer: httpx.Response = await person.lab.auth.http.request(
        method, f"/api/rbac/permissions{path}", headers=headers, **extra
    )
    return answer


async def give(owner: Any, user_id: str, *permissions: str, **fields: Any) -> httpx.Response:
    on = {"user_id": user_id, "resource_type": "campaign", "resource_id": "17", "expires_at": IN_A_MONTH}
    return await ask(owner, "POST", "/resource/grant", **(on | {"permissions": permissions} | fields))


async def may(person: Any, permission: str, resource_id: str, resource_type: str = "campaign") -> bool:
    body = {"permission": permission, "resource_type": resource_type, "resource_id": resource_id}
    return bool((await ask(person, "POST", "/check", **body)).json()["has_permission"])


async def test_a_grant_holds_on_its_resource_alone_until_it_is_revoked(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague("viewer")
    given = await give(owner, guest.id, "campaign:edit", "campaign:publish")
    assert (given.status_code, given.json()["given_by"]) == (200, owner.id)
    assert (await guest.here("GET")).status_code == 401, "out of date at once"
    await guest.refresh()
    assert await may(guest, "campaign:edit", "17")
    assert not await may(guest, "campaign:edit", "18")
    assert not await may(guest, "campaign:delete", "17")
    assert not await may(guest, "campaign:edit", "17", "creative")
    shown = (await ask(guest, "GET", "")).json()["resource_permissions"]
    assert [(one["resource_type"], one["resource_id"], one["permissions"]) for one in shown] == [
        ("campaign", "17", ["campaign:edit", "campaign:publish"])
    ]
    assert (await ask(owner, "GET", f"/resource/{guest.id}")).json()["count"] == 1
    assert (await owner.here("PATCH", f"/members/{guest.id}", roles=["member"])).status_code == 200
    await guest.refresh()
    assert await may(guest, "campaign:edit", "17"), "another role leaves grants alone"
    on = {"user_id": guest.id, "resource_type": "campaign", "resource_id": "17"}
    assert (await ask(owner, "POST", "/resource/revoke", **on)).status_code == 204
    assert (await ask(owner, "POST", "/resource/revoke", **on)).status_code == 404
    await guest.refresh()
    assert not await may(guest, "campaign:edit", "17")


async def test_a_route_takes_a_grant_where_it_names_its_resource(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague("viewer")
    await give(owner, guest.id, "campaign:edit")
    await guest.refresh()
    principal = await lab.auth.app.state.platform.identity.verify(guest.tokens["access_token"])
    assert principal.may("campaign:edit", "17")
    assert not principal.may("campaign:edit")
    check = allowed("campaign:edit", resource="campaign_id")
    request = Request({"type": "http", "path_params": {"campaign_id": "17"}, "headers": []})
    assert await check(request, principal) is principal
    with pytest.raises(Forbidden):
        await check(Request({"type": "http", "path_params": {"campaign_id": "18"}, "headers": []}), principal)


async def test_a_grant_ends_with_its_date(lab: Any, new_person: Any, travel: Callable[[timedelta], None]) -> None:
    owner = await new_person()
    guest = await owner.colleague("viewer")
    soon = (datetime.now(UTC) + timedelta(minutes=2)).isoformat()
    assert (await give(owner, guest.id, "campaign:edit", expires_at=soon)).status_code == 200
    await guest.refresh()
    principal = await lab.auth.app.state.platform.identity.verify(guest.tokens["access_token"])
    assert principal.may("campaign:edit", "17")
    travel(timedelta(minutes=3))
    assert not principal.may("campaign:edit", "17"), "the token lives on, the grant does not"


async def test_who_leaves_leaves_the_grants_behind(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague("viewer")
    await give(owner, guest.id, "campaign:edit")
    assert (await owner.here("DELETE", f"/members/{guest.id}")).status_code == 204
    assert (await ask(owner, "GET", f"/resource/{guest.id}")).status_code == 404
    await guest.refresh()
    token = await owner.invited(guest.email, "viewer")
    assert (await guest.ask("POST", "/invitations/accept", token=token)).status_code == 200
    assert (await guest.switch(owner.organization_id)).status_code == 200
    assert not await may(guest, "campaign:edit", "17")


async def test_what_is_refused(lab: Any, new_person: Any) -> None:
    owner, foreign = await new_person(), await new_person()
    admin, guest = await owner.colleague("admin"), await owner.colleague("viewer")
    assert (await give(guest, guest.id, "campaign:edit")).status_code == 403
    agent = {"resource_type": "agent", "resource_id": "7"}
    assert (await give(admin, guest.id, "agent:delete", **agent)).status_code == 403, "admins lack it"
    assert (await give(owner, guest.id, "agent:delete", **agent)).status_code == 200
    on = {"user_id": guest.id} | agent
    assert (await ask(admin, "POST", "/resource/revoke", **on)).status_code == 403, "nor take it"
    assert (await give(owner, foreign.id, "campaign:edit")).status_code == 404
    assert (await give(foreign, guest.id, "campaign:edit")).status_code == 404
    assert (await ask(foreign, "GET", f"/resource/{guest.id}")).status_code == 404
    late = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for wrong in ({"expires_at": late}, {"expires_at": past}, {"resource_id": "a b"}, {"resource_type": "creative"}):
        assert (await give(owner, guest.id, "campaign:edit", **wrong)).status_code == 422, wrong
    statuses = [
        (await give(owner, guest.id, "campaign:edit", resource_id="x" * 60 + str(n))).status_code for n in range(15)
    ]
    assert statuses[0] == 200
    assert statuses[-1] == 409
    await guest.refresh()
    assert len(guest.tokens["access_token"]) < 4096
    assert (await guest.here("GET")).status_code == 200
