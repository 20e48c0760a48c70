"""Registering and proving an address, on real sidecars."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest

from omnify_auth.records import Address, Organization
from omnify_shared import clock
from omnify_shared.ids import new_id

OTHER_PASSWORD = "nine yellow lanterns hum"


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rsplit("/", 1)[-1]


async def test_a_person_registers_verifies_and_signs_in(lab: Any) -> None:
    form = await lab.registered()
    early = await lab.login(form)
    assert (early.status_code, slug(early)) == (403, "email-not-verified")
    wrong = await lab.login(form, OTHER_PASSWORD)
    assert (wrong.status_code, slug(wrong)) == (401, "invalid-credentials")
    token = await lab.mailed_token(form["email"])
    assert (await lab.auth.post("verify-email", token=token)).status_code == 200
    answer = await lab.login(form)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    assert set(body["user"]) == {"user_id", "email", "full_name", "organization_id", "roles"}
    assert body["user"]["roles"] == ["owner"]
    assert answer.headers["cache-control"] == "no-store"
    me = await lab.auth.get("/api/auth/me", body["access_token"])
    assert me.status_code == 200
    assert me.json()["full_name"] == form["full_name"]
    assert "analytics:view" in me.json()["permissions"]


@pytest.mark.parametrize("name", ["$abc", "$5.00", '{"$concat": ["a", "b"]}', "Zoë 👩‍💻 O'Neil", " padded "])
async def test_names_come_back_byte_equal(lab: Any, name: str) -> None:
    signed_in = await lab.signed_in(full_name=name, organization_name=name)
    assert signed_in["user"]["full_name"] == name
    service = lab.auth.service
    user = await service.directory.member(signed_in["user"]["user_id"])
    organization = await service.store.organizations.get(user.memberships[0].organization_id)
    assert (user.full_name, organization.name) == (name, name)


async def test_a_token_works_once_and_expires(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.registered()
    late = await lab.mailed_token(form["email"])
    travel(timedelta(minutes=61))
    expired = await lab.auth.post("verify-email", token=late)
    assert (expired.status_code, slug(expired)) == (400, "invalid-token")
    fresh = await lab.mailed_token(form["email"])
    assert (await lab.auth.post("verify-email", token=fresh)).status_code == 200
    again = await lab.auth.post("verify-email", token=fresh)
    assert (again.status_code, slug(again)) == (400, "invalid-token")


@pytest.mark.parametrize(
    "token", ["x", ".", "a.b", "0" * 512, "\x00", f"{'0' * 8}-0000-7000-8000-{'0' * 12}.x", "\ud800"]
)
async def test_a_made_up_token_is_refused(lab: Any, token: str) -> None:
    body = b'{"token": "\\ud800"}' if token == "\ud800" else None
    answer = await (
        lab.auth.http.post("/api/auth/verify-email", content=body, headers={"content-type": "application/json"})
        if body
        else lab.auth.post("verify-email", token=token)
    )
    assert answer.status_code in (400, 422)


async def test_only_the_last_three_mails_count(lab: Any) -> None:
    form = await lab.registered()
    tokens = [await lab.mailed_token(form["email"]) for _ in range(4)]
    assert (await lab.auth.post("verify-email", token=tokens[0])).status_code == 400
    assert (await lab.auth.post("verify-email", token=tokens[1])).status_code == 200


async def test_of_32_proofs_at_once_one_wins(lab: Any) -> None:
    form = await lab.registered()
    token = await lab.mailed_token(form["email"])
    answers = await asyncio.gather(*(lab.auth.post("verify-email", token=token) for _ in range(32)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 31


async def test_32_registrations_at_once_make_one_user(lab: Any) -> None:
    form = lab.form()
    answers = await asyncio.gather(*(lab.auth.post("register", **form) for _ in range(32)))
    assert {answer.status_code for answer in answers} == {202}
    await lab.mailed_token(form["email"])
    found = await users_heard_of(lab, form["email"])
    assert len(found) == 1


async def users_heard_of(lab: Any, email: str) -> set[str]:
    """The ids of all users with this address that events ever named."""
    ids = {event["data"]["user_id"] for event in lab.probe.events if event["data"].get("user_id")}
    users = await lab.auth.service.store.users.get_many((user_id,) for user_id in ids)
    return {user.user_id for user in users.values() if user.email == email}


@pytest.mark.parametrize("crash_after", ["claim", "organization"])
async def test_a_registration_that_crashed_is_taken_up_by_the_next_one(lab: Any, crash_after: str) -> None:
    """After each of the writes that come before the user's own."""
    store, form = lab.auth.service.store, lab.form()
    claim = Address(user_id=new_id(), organization_id=new_id())
    await store.addresses.create(await lab.auth.service.directory.name(form["email"]), value=claim)
    if crash_after == "organization":
        left = Organization(organization_id=claim.organization_id, name="left over", created_at=clock.now())
        await store.organizations.create(claim.organization_id, value=left)
    assert (await lab.login(form)).status_code == 401
    await lab.registered(**form)
    await lab.auth.post("verify-email", token=await lab.mailed_token(form["email"]))
    user = (await lab.login(form)).json()["user"]
    assert (user["user_id"], user["organization_id"]) == (claim.user_id, claim.organization_id)
    organization = await store.organizations.get(claim.organization_id)
    assert organization.name == form["organization_name"]


async def test_nobody_slips_a_password_into_anothers_account(lab: Any) -> None:
    """Each mail activates what was typed in its own registration, whoever came first or last."""
    victim = await lab.registered(full_name="Victim")
    await lab.registered(**victim | {"full_name": "Attacker", "password": OTHER_PASSWORD})
    token = await lab.mailed_token(victim["email"], "Victim")
    attackers = await lab.mailed_token(victim["email"], "Attacker")
    assert (await lab.auth.post("verify-email", token=token)).status_code == 200
    assert (await lab.auth.post("verify-email", token=attackers)).status_code == 400
    assert (await lab.login(victim, OTHER_PASSWORD)).status_code == 401
    answer = await lab.login(victim)
    assert answer.json()["user"]["full_name"] == "Victim"


async def test_registering_a_verified_address_tells_its_owner_and_nobody_else(lab: Any) -> None:
    form = await lab.verified()
    first = await lab.auth.post("register", **lab.form())
    again = await lab.auth.post("register", **form | {"password": OTHER_PASSWORD})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    user_id = (await lab.login(form)).json()["user"]["user_id"]

    async def notice(event: dict[str, Any]) -> bool:
        repeated: bool = event["type"] == "omnify.auth.registration.repeated.v1"
        return repeated and bool(event["data"]["user_id"] == user_id)

    assert await lab.probe.first(notice)
    headers = {"dapr-caller-app-id": "email"}
    contact = await lab.auth.http.get(f"/internal/users/{user_id}/contact", headers=headers)
    assert contact.json() == {"email": form["email"], "full_name": form["full_name"], "locale": None}
    assert (await lab.login(form, OTHER_PASSWORD)).status_code == 401


async def test_mails_come_in_the_language_that_was_asked_for(lab: Any) -> None:
    form = lab.form()
    browser = {"accept-language": "fr;q=0.5, de-AT, *;q=0.1"}
    assert (await lab.auth.http.post("/api/auth/register", json=form, headers=browser)).status_code == 202
    assert (await lab.auth.post("verify-email", token=await lab.mailed_token(form["email"]))).status_code == 200
    signed_in = (await lab.login(form)).json()
    bearer = {"authorization": f"Bearer {signed_in['access_token']}"}
    assert (await lab.auth.get("/api/auth/me", signed_in["access_token"])).json()["locale"] == "de-AT"

    async def locale_of_mails() -> Any:
        path = f"/internal/users/{signed_in['user']['user_id']}/contact"
        return (await lab.auth.http.get(path, headers={"dapr-caller-app-id": "email"})).json()["locale"]

    assert await locale_of_mails() == "de-AT"
    for chosen in ("pt", None):
        changed = await lab.auth.http.patch("/api/auth/me", json={"locale": chosen}, headers=bearer)
        assert (changed.status_code, changed.json()) == (200, {"locale": chosen})
        assert await locale_of_mails() == chosen
    for refused in ("", "german please", "d", "de_AT", "x" * 36, 5):
        answer = await lab.auth.http.patch("/api/auth/me", json={"locale": refused}, headers=bearer)
        assert answer.status_code == 422, refused
    assert (await lab.auth.http.patch("/api/auth/me", json={"locale": "de"})).status_code == 401


async def test_a_letter_and_a_verification_say_the_language(lab: Any) -> None:
    form = await lab.registered(locale="de")

    async def of_verification(event: dict[str, Any]) -> Any:
        mail = (await lab.mint(event["data"].get("verification_id", ""))).json()
        return mail if mail.get("email") == form["email"] else None

    verification = await lab.probe.first(of_verification)
    assert verification["locale"] == "de"
    assert (await lab.auth.post("verify-email", token=verification["token"])).status_code == 200
    assert (await lab.auth.post("password-reset", email=form["email"])).status_code == 202

    async def of_letter(event: dict[str, Any]) -> Any:
        headers = {"dapr-caller-app-id": "email"}
        path = f"/internal/letters/{event['data'].get('letter_id', '')}"
        mail = (await lab.auth.http.post(path, headers=headers)).json()
        return mail if mail.get("email") == form["email"] else None

    assert (await lab.probe.first(of_letter))["locale"] == "de"


async def test_an_address_is_the_same_in_any_case(lab: Any) -> None:
    form = await lab.verified()
    shouted = form | {"email": form["email"].upper()}
    assert (await lab.login(shouted)).status_code == 200


async def test_resend_answers_alike_and_mails_only_who_waits(lab: Any) -> None:
    waiting, done = await lab.registered(), await lab.verified()
    answers = [await lab.auth.post("verify-email/resend", email=form["email"]) for form in (waiting, done, lab.form())]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}

    async def asked(event: dict[str, Any]) -> bool:
        if event["type"] != "omnify.auth.verification.requested.v1":
            return False
        mail = await lab.mint(event["data"]["verification_id"])
        return bool(mail.status_code == 200 and mail.json()["email"] == waiting["email"])

    assert await lab.probe.first(asked)


async def test_mails_to_one_address_are_limited(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.registered()
    for _ in range(8):
        assert (await lab.auth.post("verify-email/resend", email=form["email"])).status_code == 202
    assert await mails_to(lab, form["email"], expected=5) == 5
    travel(timedelta(minutes=11))
    await lab.auth.post("verify-email/resend", email=form["email"])
    assert await mails_to(lab, form["email"], expected=6) == 6


async def mails_to(lab: Any, email: str, expected: int) -> int:
    """How many mails the email service was told to send, a moment after the expected number was reached."""
    user_ids = await users_heard_of(lab, email)
    for _ in range(100):
        mails = [event for event in lab.probe.events if "verification_id" in event["data"]]
        found = len({mail["id"] for mail in mails if mail["data"]["user_id"] in user_ids})
        if found >= expected:
            break
        await asyncio.sleep(0.05)
        user_ids = await users_heard_of(lab, email)
    await asyncio.sleep(0.3)
    return len({event["id"] for event in lab.probe.events if event["data"].get("user_id") in user_ids})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("email", "a@b"),
        ("email", "a" * 65 + "@example.com"),
        ("password", "short"),
        ("password", "x" * 257),
        ("password", "123456789987654321"),
        ("full_name", ""),
        ("full_name", "   "),
        ("full_name", "two\nlines"),
        ("full_name", "x" * 201),
        ("organization_name", "evil\u202etxt"),
        ("full_name", 5),
        ("email", None),
        ("role", "owner"),
    ],
)
async def test_bad_fields_are_named(lab: Any, field: str, value: Any) -> None:
    answer = await lab.auth.post("register", **lab.form() | {field: value})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field
    assert str(value) not in answer.json()["detail"] or value in ("", None, 5, "   ")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"email": "\xff"}', b'{"full_name": "\\ud800"}', b"null"])
async def test_broken_bodies_are_refused(lab: Any, body: bytes) -> None:
    for path in ("register", "login", "refresh", "verify-email", "verify-email/resend"):
        answer = await lab.auth.http.post(
            f"/api/auth/{path}", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422), (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_broken_name_in_a_whole_form_is_refused(lab: Any) -> None:
    body = json.dumps(lab.form(full_name="lone \ud800 surrogate")).encode()
    answer = await lab.auth.http.post("/api/auth/register", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


async def test_internal_routes_serve_the_email_service_only(lab: Any) -> None:
    path = f"/internal/verifications/{new_id()}/token"
    for headers, status in (
        ({}, 403),
        ({"dapr-caller-app-id": "gateway"}, 403),
        ({"dapr-caller-app-id": "email"}, 404),
    ):
        assert (await lab.auth.http.post(path, headers=headers)).status_code == status
    weird = await lab.auth.http.post("/internal/verifications/a||b/token", headers={"dapr-caller-app-id": "email"})
    assert weird.status_code == 422


async def test_known_and_unknown_addresses_take_the_same_work(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of hashes, which are nearly all of the time; the time itself is the benchmark's."""
    hasher, hashed = lab.auth.service.hasher, 0
    matches = hasher._matches

    def counted(encoded: str, keyed: bytes) -> bool:
        nonlocal hashed
        hashed += 1
        found: bool = matches(encoded, keyed)
        return found

    known = await lab.verified()
    monkeypatch.setattr(hasher, "_matches", counted)
    work: list[list[tuple[int, int]]] = [[], []]
    for _ in range(8):
        for arm, email in enumerate((known["email"], lab.form()["email"])):
            before = hashed
            answer = await lab.auth.post("login", email=email, password=known["password"] + " not")
            work[arm].append((answer.status_code, hashed - before))
    assert work[0] == [(401, 1)] * 5 + [(429, 0)] * 3
    assert work[1] == [(401, 1)] * 8
