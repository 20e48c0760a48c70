"""Organisations, their members and invitations, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import jwt
import pytest

from omnify_auth.records import User

PASSWORD = "eleven slow otters hum"


def roles_of(person: Any) -> list[str]:
    return list(jwt.decode(person.tokens["access_token"], options={"verify_signature": False})["roles"])


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit("/")[-1]


async def test_an_invited_colleague_joins_and_switches(lab: Any, new_person: Any) -> None:
    owner, guest = await new_person(), await new_person()
    token = await owner.invited(guest.email.upper(), "manager")
    offer = (await owner.ask("POST", "/invitations/preview", token=token)).json()
    assert (offer["role"], offer["has_account"]) == ("manager", True)
    assert offer["organization_name"] == owner.form["organization_name"]
    old, own = guest.tokens["access_token"], guest.organization_id
    answer = await guest.ask("POST", "/invitations/accept", token=token)
    assert (answer.status_code, answer.json()["organization_id"]) == (200, owner.organization_id)
    rows = (await guest.ask("GET", "")).json()["organizations"]
    assert {row["organization_id"]: (row["roles"], row["is_current"]) for row in rows} == {
        own: (["owner"], True),
        owner.organization_id: (["manager"], False),
    }
    assert (await guest.here("GET", "/members")).status_code == 200
    assert kind(await guest.ask("GET", f"/{owner.organization_id}")) == (404, "not-found")
    assert (await guest.switch(owner.organization_id)).status_code == 200
    assert (guest.organization_id, roles_of(guest)) == (owner.organization_id, ["manager"])
    assert kind(await lab.auth.get("/api/auth/me", old)) == (401, "token-outdated")
    assert (await guest.refresh()).json()["user"]["organization_id"] == owner.organization_id
    again = await lab.login(guest.form)
    assert again.json()["user"]["organization_id"] == owner.organization_id, "the one worked in last"
    members = (await guest.here("GET", "/members")).json()["members"]
    assert {one["email"]: one["roles"] for one in members} == {owner.email: ["owner"], guest.email: ["manager"]}


async def test_somebody_without_an_account_makes_one_by_the_link(lab: Any, new_person: Any) -> None:
    owner, email = await new_person(), f"new.{uuid4().hex[:8]}@guests.example.com"
    token = await owner.invited(email)
    offer = (await owner.ask("POST", "/invitations/preview", token=token)).json()
    assert (offer["email"], offer["has_account"]) == (email, False)
    form = {"token": token, "full_name": "Grace New", "password": PASSWORD}
    weak = await owner.ask("POST", "/invitations/register", **(form | {"password": "password"}))
    assert weak.status_code == 422
    answers = await asyncio.gather(*(owner.ask("POST", "/invitations/register", **form) for _ in range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {400, 409, 503}
    signed_in = (await lab.login({"email": email, "password": PASSWORD})).json()
    assert signed_in["user"]["organization_id"] == owner.organization_id
    assert signed_in["user"]["roles"] == ["member"]
    assert (await owner.ask("POST", "/invitations/preview", token=token)).status_code == 400


async def test_a_stranger_who_registered_the_address_first_gets_nothing_by_the_invitation(
    lab: Any, new_person: Any
) -> None:
    owner, stranger = await new_person(), await lab.registered()
    token = await owner.invited(stranger["email"])
    form = {"token": token, "full_name": "The Owner", "password": PASSWORD}
    assert (await owner.ask("POST", "/invitations/register", **form)).status_code == 201
    assert (await lab.login(stranger)).status_code == 401, "the stranger's password"
    signed_in = (await lab.login(stranger, PASSWORD)).json()
    assert signed_in["user"]["organization_id"] == owner.organization_id
    assert signed_in["user"]["full_name"] == "The Owner"


async def test_32_uses_of_one_invitation_have_one_winner(lab: Any, new_person: Any) -> None:
    owner, guest = await new_person(), await new_person()
    token = await owner.invited(guest.email)
    answers = await asyncio.gather(*(guest.ask("POST", "/invitations/accept", token=token) for _ in range(32)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 409, 503}
    members = (await owner.here("GET", "/members")).json()["members"]
    assert len(members) == 2


async def test_an_invitation_is_for_its_address_for_72_hours_and_the_newest_link(
    lab: Any, new_person: Any, travel: Callable[[timedelta], None]
) -> None:
    owner, guest, other = [await new_person() for _ in range(3)]
    first = await owner.invited(guest.email)
    second = await owner.invited(guest.email, "viewer")
    assert (await guest.ask("POST", "/invitations/accept", token=first)).status_code == 400
    assert (await other.ask("POST", "/invitations/accept", token=second)).status_code == 403
    listed = (await owner.here("GET", "/invitations")).json()["invitations"]
    assert [(one["email"], one["role"]) for one in listed] == [(guest.email, "viewer")]
    withdrawn = await owner.here("DELETE", f"/invitations/{listed[0]['invitation_id']}")
    assert withdrawn.status_code == 204
    assert (await guest.ask("POST", "/invitations/accept", token=second)).status_code == 400
    third = await owner.invited(guest.email)
    assert (await guest.ask("POST", "/invitations/preview", token=third)).status_code == 200
    travel(timedelta(hours=72, minutes=1))
    preview = {"token": third}
    assert (await lab.auth.http.post("/api/organizations/invitations/preview", json=preview)).status_code == 400


async def test_the_inviter_learns_nothing_about_an_address(lab: Any, new_person: Any) -> None:
    owner, known = await new_person(), await new_person()
    answers = [
        await owner.here("POST", "/invitations", email=email, role="viewer")
        for email in (known.email, f"nobody.{uuid4().hex}@guests.example.com")
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json().keys() == answers[1].json().keys()
    colleague = await owner.colleague()
    assert (await owner.here("POST", "/invitations", email=colleague.email, role="viewer")).status_code == 409


async def test_nobody_gives_or_takes_what_they_lack(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    admin, member = await owner.colleague("admin"), await owner.colleague("member")
    assert (await admin.here("POST", "/invitations", email="x@guests.example.com", role="owner")).status_code == 403
    tries: tuple[tuple[Any, dict[str, Any]], ...] = (
        (admin, {"roles": ["owner"]}),
        (owner, {"roles": ["viewer"]}),
        (owner, {"disabled": True}),
    )
    for person, change in tries:
        assert (await admin.here("PATCH", f"/members/{person.id}", **change)).status_code == 403
    assert (await admin.here("DELETE", f"/members/{member.id}")).status_code == 403, "admins delete nobody"
    for method, path in (("GET", "/members"), ("GET", "/invitations"), ("POST", "/deletion")):
        body = {"name": owner.form["organization_name"]} if method == "POST" else {}
        assert (await member.here(method, path, **body)).status_code == 403, path
    assert (await owner.here("PATCH", f"/members/{member.id}", roles=["emperor"])).status_code == 422
    assert (await admin.here("PATCH", f"/members/{member.id}", roles=["manager"])).status_code == 200
    await member.refresh()
    assert roles_of(member) == ["manager"]


async def test_a_change_of_a_member_holds_at_once(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague()
    home = [row for row in (await guest.ask("GET", "")).json()["organizations"] if not row["is_current"]]
    disabled = await owner.here("PATCH", f"/members/{guest.id}", disabled=True)
    assert (disabled.status_code, disabled.json()["status"]) == (200, "disabled")
    assert (await guest.here("GET")).status_code == 401
    assert (await guest.refresh()).json()["user"]["organization_id"] == home[0]["organization_id"]
    assert (await guest.switch(owner.organization_id)).status_code == 404
    assert (await owner.here("PATCH", f"/members/{guest.id}", disabled=False)).json()["status"] == "active"
    await guest.refresh()
    assert (await guest.switch(owner.organization_id)).status_code == 200
    assert (await owner.here("DELETE", f"/members/{guest.id}")).status_code == 204
    assert (await guest.here("GET")).status_code == 401
    assert (await owner.here("DELETE", f"/members/{guest.id}")).status_code == 404
    assert len((await guest.ask("GET", "")).json()["organizations"] if (await guest.refresh()) else []) == 1


async def test_an_administrator_ends_the_sessions_of_a_member_there(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest, admin = await owner.colleague(), await owner.colleague("admin")
    elsewhere = guest.again((await lab.login(guest.form)).json())
    own = next(
        row["organization_id"]
        for row in (await elsewhere.ask("GET", "")).json()["organizations"]
        if not row["is_current"]
    )
    assert (await elsewhere.switch(own)).status_code == 200
    await guest.refresh()
    assert (await guest.here("POST", f"/members/{owner.id}/sign-out")).status_code == 403
    assert (await admin.here("POST", f"/members/{owner.id}/sign-out")).status_code == 403, "mightier"
    answer = await admin.here("POST", f"/members/{guest.id}/sign-out")
    assert (answer.status_code, answer.json()["count"]) == (200, 1)
    assert (await guest.here("GET")).status_code == 401
    assert (await guest.refresh()).status_code == 401
    assert (await elsewhere.refresh()).status_code == 200, "in their own organisation they stay"


async def test_of_two_owners_who_leave_at_once_one_stays(lab: Any, new_person: Any) -> None:
    for _ in range(4):
        owner = await new_person()
        other = await owner.colleague("owner")
        answers = await asyncio.gather(owner.here("POST", "/leave"), other.here("POST", "/leave"))
        assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_an_owner_hands_over(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    heir = await owner.colleague()
    assert (await owner.here("POST", "/leave")).status_code == 409
    assert (await owner.here("POST", "/transfer", user_id=owner.id)).status_code == 409
    assert (await owner.here("POST", "/transfer", user_id=str(uuid4()))).status_code == 404
    assert (await owner.here("POST", "/transfer", user_id=heir.id)).status_code == 204
    await owner.refresh()
    await heir.refresh()
    assert (roles_of(owner), roles_of(heir)) == (["admin"], ["owner"])
    assert (await owner.here("POST", "/leave")).status_code == 204


async def test_who_belongs_to_none_can_sign_in_and_found_one(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    heir = await owner.colleague()
    await owner.here("POST", "/transfer", user_id=heir.id)
    await owner.refresh()
    assert (await owner.here("POST", "/leave")).status_code == 204
    alone = (await lab.login(owner.form)).json()
    assert (alone["user"]["organization_id"], alone["user"]["roles"]) == (owner.id, [])
    person = owner.again(alone)
    me = await lab.auth.get("/api/auth/me", alone["access_token"])
    assert (me.status_code, me.json()["organization_id"], me.json()["permissions"]) == (200, owner.id, [])
    assert (await person.ask("GET", "")).json()["count"] == 0
    assert (await person.ask("GET", f"/{person.id}")).status_code == 404
    assert (await lab.auth.get("/api/audit", alone["access_token"])).status_code == 403
    founded = await person.ask("POST", "", name="A new beginning")
    assert founded.status_code == 201
    assert (await person.switch(founded.json()["organization_id"])).status_code == 200
    assert roles_of(person) == ["owner"]
    assert (await person.here("PATCH", name="Second thoughts")).json()["name"] == "Second thoughts"
    assert (await person.here("GET", "/members")).json()["members"][0]["user_id"] == person.id
    assert (await lab.auth.get("/api/sessions/policy", person.tokens["access_token"])).status_code == 200


async def test_deleting_ends_the_access_of_all(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest, invited = await owner.colleague(), await new_person()
    token = await owner.invited(invited.email)
    client = {"name": "Worker", "grant_types": ["client_credentials"], "scopes": ["analytics:view"]}
    headers = {"authorization": f"Bearer {owner.tokens['access_token']}"}
    made = (await lab.auth.http.post("/api/oauth/clients", json=client, headers=headers)).json()
    assert (await owner.here("POST", "/deletion", name="Another name")).status_code == 422
    answer = await owner.here("POST", "/deletion", name=owner.form["organization_name"])
    assert (answer.status_code, answer.json()["status"]) == (202, "deleting")
    async with asyncio.timeout(30):  # auth hears its own event, too: either may be first to bring a member in line
        while (await guest.here("GET")).status_code != 401:
            await asyncio.sleep(0.05)
    own = (await guest.refresh()).json()["user"]["organization_id"]
    assert own not in (guest.id, owner.organization_id)
    assert (await invited.ask("POST", "/invitations/accept", token=token)).status_code == 400
    refused = await lab.auth.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(made["client_id"], made["client_secret"])
    )
    assert refused.status_code == 401
    assert (await owner.refresh()).json()["user"]["organization_id"] == owner.id
    service = lab.auth.service
    organization = await service.store.organizations.get(guest.organization_id)
    assert organization is not None
    emptied = await service.store.rosters.get(answer.request.url.path.split("/")[3])
    assert (emptied.members, emptied.invitations) == ((), ())


async def test_a_crash_between_roster_and_user_is_made_good_by_the_event(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague()
    organization_id = owner.organization_id
    service = lab.auth.service

    def forgotten(user: User, _: Any) -> User:
        kept = tuple(one for one in user.memberships if one.organization_id != organization_id)
        return user.model_copy(update={"memberships": kept})

    await service.store.users.update(guest.id, change=forgotten)

    async def added(event: dict[str, Any]) -> dict[str, Any] | None:
        ours = event["type"] == "omnify.auth.member.added.v1" and event["data"]["user_id"] == guest.id
        return event if ours else None

    event = await lab.probe.first(added)
    assert (await lab.auth.http.post("/events/auth-events", json=event)).json() == {"status": "SUCCESS"}
    user = await service.store.users.get(guest.id)
    assert organization_id in {one.organization_id for one in user.memberships}
    assert (await owner.here("DELETE", f"/members/{guest.id}")).status_code == 204
    assert (await lab.auth.http.post("/events/auth-events", json=event)).json() == {"status": "SUCCESS"}
    user = await service.store.users.get(guest.id)
    assert organization_id not in {one.organization_id for one in user.memberships}, "an old event revives nothing"


ROUTES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("GET", "", {}),
    ("PATCH", "", {"name": "Mine now"}),
    ("POST", "/switch", {}),
    ("POST", "/transfer", {"user_id": "{user}"}),
    ("POST", "/leave", {}),
    ("POST", "/deletion", {"name": "{name}"}),
    ("GET", "/members", {}),
    ("PATCH", "/members/{user}", {"roles": ["viewer"]}),
    ("POST", "/members/{user}/sign-out", {}),
    ("POST", "/members/{user}/mfa-reset", {}),
    ("DELETE", "/members/{user}", {}),
    ("POST", "/invitations", {"email": "x@guests.example.com", "role": "viewer"}),
    ("GET", "/invitations", {}),
    ("DELETE", "/invitations/{invitation}", {}),
)


def test_the_grid_has_every_route_of_one_organisation(lab: Any) -> None:
    prefix = "/api/organizations/{organization_id}"
    paths = lab.auth.app.openapi()["paths"]
    known = {(method.upper(), path) for path, item in paths.items() if path.startswith(prefix) for method in item}
    tried = {
        (method, (prefix + path).replace("{user}", "{user_id}").replace("{invitation}", "{invitation_id}"))
        for method, path, _ in ROUTES
    }
    assert tried == known


@pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda value: str(value)[:24])
async def test_a_foreign_organisation_is_not_there(
    new_person: Any, method: str, path: str, body: dict[str, Any]
) -> None:
    owner, foreign = await new_person(), await new_person()
    invitation = (await owner.here("POST", "/invitations", email="y@guests.example.com", role="viewer")).json()
    names = {
        "{user}": owner.id,
        "{name}": owner.form["organization_name"],
        "{invitation}": invitation["invitation_id"],
    }
    for name, value in names.items():
        path = path.replace(name, value)
        body = {key: value if said == name else said for key, said in body.items()}
    answer = await foreign.ask(method, f"/{owner.organization_id}{path}", **body)
    assert answer.status_code == 404, answer.text
    assert owner.form["organization_name"] not in answer.text
