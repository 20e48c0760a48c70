"""The end of an account: erased by its user, with the receipts of other services, or disabled. On real sidecars."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest
from dapr.proto import api_service_v1, api_v1

from omnify_auth.erasures import SERVICES
from omnify_shared import clock
from omnify_shared.ids import new_id
from omnify_shared.testing import Sidecar
from support.golden import rows

ERASURE = "/api/auth/me/erasure"
SAW = {"x-forwarded-for": "203.0.113.77", "user-agent": "a very special browser"}
Give = Callable[[str, str], Awaitable[None]]


@pytest.fixture(scope="module")
async def give(lab: Any) -> AsyncIterator[Give]:
    """`await give("email", erasure_id)`: the receipt of a service, sent through its own sidecar."""
    sidecars = {name: Sidecar(lab.home, name) for name in SERVICES}
    for sidecar in sidecars.values():
        await asyncio.to_thread(sidecar.start)

    async def given(service: str, erasure_id: str) -> None:
        event = {
            "specversion": "1.0", "id": new_id(), "source": service, "type": f"omnify.{service}.erasure.completed.v1",
            "subject": erasure_id, "sequence": "1", "time": clock.now().isoformat(),
            "datacontenttype": "application/json",
            "data": {"erasure_id": erasure_id, "counts": {"things": 2}, "completed_at": clock.now().isoformat()},
        }  # fmt: skip
        request = api_v1.PublishEventRequest(
            pubsub_name="pubsub", topic=f"{service}-events", data=json.dumps(event).encode(),
            data_content_type="application/cloudevents+json",
        )  # fmt: skip
        async with grpc.aio.insecure_channel(f"127.0.0.1:{sidecars[service].ports.grpc}") as channel:
            metadata = (("dapr-api-token", lab.home.dapr_api_token),)
            await api_service_v1.DaprStub(channel).PublishEvent(request, metadata=metadata, timeout=10)

    yield given
    for sidecar in sidecars.values():
        await asyncio.to_thread(sidecar.terminate)


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


async def post(lab: Any, path: str, tokens: dict[str, Any], **body: Any) -> Any:
    return await lab.auth.http.post(path, json=body, headers=bearer(tokens) | SAW)


async def erased(lab: Any, tokens: dict[str, Any], email: str) -> dict[str, Any]:
    answer = await post(lab, ERASURE, tokens, email=email)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def status(lab: Any, asked: dict[str, Any]) -> dict[str, Any]:
    headers = {"x-erasure-token": asked["status_token"]}
    answer = await lab.auth.http.get(f"/api/auth/erasures/{asked['erasure_id']}", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def until(lab: Any, asked: dict[str, Any], holds: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while not holds(found := await status(lab, asked)):
            await asyncio.sleep(0.05)
    return found


def given_by(found: dict[str, Any]) -> set[str]:
    return {one["service"] for one in found["services"] if one["completed_at"]}


async def farewell(event: dict[str, Any], lab: Any, user_id: str) -> dict[str, Any] | None:
    if event["data"].get("kind") != "account_erased" or event["data"]["user_id"] != user_id:
        return None
    path = f"/internal/letters/{event['data']['letter_id']}"
    return dict((await lab.auth.http.post(path, headers={"dapr-caller-app-id": "email"})).json())


async def test_an_erased_user_is_gone_everywhere(lab: Any, give: Give, set_name: str) -> None:
    form = await lab.verified()
    tokens, other = [(await lab.login(form)).json() for _ in range(2)]
    user_id = tokens["user"]["user_id"]
    await post(lab, "/api/legal/accept", tokens, document_type="terms", version="1.0")
    ends = (clock.now() + timedelta(days=1)).isoformat()
    await post(lab, "/api/api-keys", tokens, name="till", scopes=["analytics:view"], expires_at=ends)
    await post(lab, "/api/mfa/totp/setup", tokens)
    await lab.auth.post("password-reset", email=form["email"])
    asked = await erased(lab, tokens, form["email"])
    assert asked["organizations"] == [tokens["user"]["organization_id"]]
    for one in (tokens, other):
        assert (await lab.auth.get("/api/auth/me", one["access_token"])).status_code == 401
        assert (await lab.auth.post("refresh", refresh_token=one["refresh_token"])).status_code == 401
    wrong = await lab.login(form, "another password, alas")
    right = await lab.login(form)
    assert (right.status_code, right.json()["type"]) == (wrong.status_code, wrong.json()["type"])
    found = await until(lab, asked, lambda found: "auth" in given_by(found))
    [own] = [one for one in found["services"] if one["service"] == "auth"]
    # Of replicas that share the work, and of a look that is done again, the one that ends first counts what it found.
    there_were = {
        "addresses": 1, "api_keys": 1, "consents": 1, "factors": 1, "memberships": 1, "profile_keys": 1, "sessions": 2
    }  # fmt: skip
    assert own["counts"]
    assert own["counts"].items() <= there_were.items()
    if set_name == "local":
        check_nothing_is_left(lab, form, user_id)
    for erasure_id in (asked["erasure_id"], *asked["organizations"]):
        for service in SERVICES:
            await give(service, erasure_id)
    found = await until(lab, asked, lambda found: found["status"] == "erased")
    assert given_by(found) == {"auth", *SERVICES}
    mail = await lab.probe.first(lambda event: farewell(event, lab, user_id))
    assert (mail["email"], mail["full_name"]) == (form["email"], form["full_name"])
    again = await lab.verified(email=form["email"])
    assert (await lab.login(again)).json()["user"]["user_id"] != user_id, "the address is free"


def check_nothing_is_left(lab: Any, form: dict[str, str], user_id: str) -> None:
    """Of who it was nothing, and of their id only what may name ids."""
    stored = [(key, data) for key, data in rows(lab.home, "auth") if not key.startswith("outbox/")]
    for text in (form["email"], form["full_name"], form["organization_name"], "203.0.113.77", "special browser"):
        assert [key for key, data in stored if text.encode() in data] == [], text
    kinds = {key.partition("/")[0] for key, data in stored if user_id.encode() in key.encode() + data}
    assert kinds <= {"user", "erasure", "audit", "revocations", "letter", "rate", "inbox", "roster"}, kinds
    shell = json.loads(dict(stored)[f"user/{user_id}"])["d"]
    assert (shell["email"], shell["full_name"], shell["password"]["encoded"], shell["memberships"]) == ("", "", "", [])


async def test_the_proof_of_consent_is_kept_under_a_pseudonym(lab: Any, give: Give) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    given = (await post(lab, "/api/legal/accept", tokens, document_type="terms", version="1.0")).json()
    asked = await erased(lab, tokens, form["email"])
    await until(lab, asked, lambda found: "auth" in given_by(found))
    service = lab.auth.service
    assert await service.store.consents.get(tokens["user"]["user_id"]) is None
    pseudonym = await service.directory.pseudonym(form["email"])
    assert pseudonym != await service.directory.name(form["email"]), "no claim can be matched to it"
    kept = await service.store.consent_proofs.get(pseudonym)
    assert kept is not None
    assert [one.model_dump(mode="json") for one in kept.proofs] == [
        {
            "consent_id": given["acceptance_id"], "action": "accepted", "document_type": "terms", "version": "1.0",
            "sha256": given["sha256"], "at": given["at"],
        }
    ]  # fmt: skip


async def test_what_tells_who_somebody_is_lies_sealed_and_a_shredded_key_ends_it(lab: Any, give: Give) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    user_id = tokens["user"]["user_id"]
    shown = (await post(lab, "/api/legal/accept", tokens, document_type="terms", version="1.0")).json()
    assert (shown["ip_address"], shown["user_agent"]) == ("203.0.113.77", "a very special browser")
    service = lab.auth.service
    before = await service.store.consents.get(user_id)
    [consent] = before.history
    assert (consent.address, consent.user_agent, consent.seen is None) == (None, None, False)
    told = await service.letters.write("password_changed", await service.store.users.get(user_id))
    letter = await service.store.letters.get(told.letter_id)
    assert (letter.to, letter.full_name, letter.values) == ("", "", {})
    asked = await erased(lab, tokens, form["email"])
    await until(lab, asked, lambda found: "auth" in given_by(found))
    backup = await service.consents._sealing.consents(before)
    assert (backup.history[0].address, backup.history[0].user_agent) == (None, None)
    path = f"/internal/letters/{told.letter_id}"
    assert (await lab.auth.http.post(path, headers={"dapr-caller-app-id": "email"})).status_code == 404


async def test_devices_and_who_is_invited_lie_sealed_and_are_shown_to_who_may_see_them(lab: Any) -> None:
    form = await lab.verified()
    login = {"email": form["email"], "password": form["password"]}
    tokens = (await lab.auth.http.post("/api/auth/login", json=login, headers=SAW)).json()
    user_id, organization_id = tokens["user"]["user_id"], tokens["user"]["organization_id"]
    invited = f"guest-{new_id()}@example.com"
    made = await post(lab, f"/api/organizations/{organization_id}/invitations", tokens, email=invited, role="member")
    assert (made.status_code, made.json()["email"]) == (201, invited)
    store = lab.auth.service.store
    [listed] = (await store.user_sessions.get(user_id)).sessions
    assert (listed.user_agent, listed.network, listed.sealed is None) == (None, None, False)
    [invitation] = (await store.rosters.get(organization_id)).invitations
    assert (invitation.email, invitation.sealed is None) == ("", False)
    shown = (await lab.auth.get("/api/sessions", tokens["access_token"])).json()["sessions"]
    assert [(one["user_agent"], one["network"]) for one in shown] == [(SAW["user-agent"], "203.0.113.0/24")]
    exported = (await lab.auth.get("/api/auth/me/export", tokens["access_token"])).json()["sessions"]
    assert [(one["user_agent"], one["network"]) for one in exported] == [(SAW["user-agent"], "203.0.113.0/24")]
    path = f"/api/organizations/{organization_id}/invitations"
    found = (await lab.auth.get(path, tokens["access_token"])).json()["invitations"]
    assert [one["email"] for one in found] == [invited]


async def test_sealed_values_belong_to_one_user_and_one_record(lab: Any) -> None:
    profiles = lab.auth.service.profiles
    ann, ben = new_id(), new_id()
    sealed = await profiles.seal(ann, b"secret", "letter/1")
    assert await profiles.open(ann, sealed, "letter/1") == b"secret"
    assert b"secret" not in sealed.model_dump_json().encode()
    assert await profiles.open(ben, sealed, "letter/1") is None, "no key"
    await profiles.seal(ben, b"other", "letter/1")
    for user_id, record in ((ben, "letter/1"), (ann, "letter/2")):
        with pytest.raises(Exception, match="another profile key"):
            await profiles.open(user_id, sealed, record)
    assert await profiles.shred(ann)
    assert await profiles.open(ann, sealed, "letter/1") is None


async def test_an_organisation_keeps_an_owner(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague()
    shared = owner.organization_id
    refused = await post(lab, ERASURE, owner.tokens, email=owner.email)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "owner-needed")
    named = [{"organization_id": shared, "name": owner.form["organization_name"]}]
    assert refused.json()["organizations"] == named
    assert (await lab.auth.get("/api/auth/me", owner.tokens["access_token"])).status_code == 200
    assert (await owner.here("POST", "/transfer", user_id=guest.id)).status_code == 204
    tokens = (await lab.login(owner.form)).json()
    asked = await erased(lab, tokens, owner.email)
    assert asked["organizations"] == []
    await until(lab, asked, lambda found: "auth" in given_by(found))
    await guest.refresh()
    members = (await guest.here("GET", "/members")).json()["members"]
    assert [one["user_id"] for one in members] == [guest.id]


async def test_who_asks_shows_that_they_mean_it(lab: Any) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    assert (await post(lab, ERASURE, tokens, email="another@example.com")).status_code == 422
    assert (await lab.auth.http.post(ERASURE, json={"email": form["email"]})).status_code == 401
    long_ago = clock.now() - timedelta(minutes=11)
    await lab.auth.service.store.sessions.update(
        tokens["session_id"], change=lambda session, _: session.model_copy(update={"signed_in_at": long_ago})
    )
    stale = (await lab.auth.post("refresh", refresh_token=tokens["refresh_token"])).json()
    answer = await post(lab, ERASURE, stale, email=form["email"])
    assert answer.json()["type"].rpartition("/")[2] == "reauthentication-required"


async def test_the_status_is_for_who_has_the_token(lab: Any) -> None:
    form = await lab.verified()
    asked = await erased(lab, (await lab.login(form)).json(), form["email"])
    path = f"/api/auth/erasures/{asked['erasure_id']}"
    assert (await lab.auth.http.get(path)).status_code == 404
    for one, token in ((path, "x"), (f"/api/auth/erasures/{new_id()}", asked["status_token"])):
        assert (await lab.auth.http.get(one, headers={"x-erasure-token": token})).status_code == 404


async def test_overdue_receipts_are_seen_and_asked_for_again(lab: Any, give: Give, travel: Any) -> None:
    form = await lab.verified()
    asked = await erased(lab, (await lab.login(form)).json(), form["email"])
    await until(lab, asked, lambda found: "auth" in given_by(found))
    *prompt, late = SERVICES
    for service in prompt:
        await give(service, asked["erasure_id"])
    await until(lab, asked, lambda found: given_by(found) == {"auth", *prompt})
    assert (await status(lab, asked))["reminded_at"] is None
    travel(timedelta(minutes=6))

    async def reminded(event: dict[str, Any]) -> Any:
        data = event["data"]
        return data if data.get("erasure_id") == asked["erasure_id"] and "services" in data else None

    assert (await lab.probe.first(reminded))["services"] == [late]
    async with asyncio.timeout(30):
        while not lab.auth.service.erasures.overdue:
            await asyncio.sleep(0.1)
    await give(late, asked["erasure_id"])
    for organization_id in asked["organizations"]:
        for service in SERVICES:
            await give(service, organization_id)
    await until(lab, asked, lambda found: found["status"] == "erased")


async def test_a_request_that_died_before_the_account_did_comes_to_nothing(lab: Any, monkeypatch: Any) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    erasures = lab.auth.service.erasures

    async def dies(*_: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(erasures, "_commit", dies)
    assert (await post(lab, ERASURE, tokens, email=form["email"])).status_code == 500
    monkeypatch.undo()
    assert (await lab.auth.get("/api/auth/me", tokens["access_token"])).status_code == 200
    asked = await erased(lab, tokens, form["email"])
    await until(lab, asked, lambda found: "auth" in given_by(found))


async def test_a_disabled_account_is_refused_like_a_wrong_password_until_it_is_let_back_in(lab: Any) -> None:
    form = await lab.verified()
    tokens, other = [(await lab.login(form)).json() for _ in range(2)]
    user_id = tokens["user"]["user_id"]
    assert (await post(lab, "/api/auth/me/disable", tokens)).status_code == 204
    for one in (tokens, other):
        assert (await lab.auth.get("/api/auth/me", one["access_token"])).status_code == 401
        assert (await lab.auth.post("refresh", refresh_token=one["refresh_token"])).status_code == 401
    wrong, right = await lab.login(form, "another password, alas"), await lab.login(form)
    shown = [{**answer.json(), "instance": ""} for answer in (wrong, right)]
    assert shown[0] | {"request_id": ""} == shown[1] | {"request_id": ""}
    assert wrong.status_code == right.status_code == 401
    path = f"/internal/users/{user_id}"
    stranger = {"dapr-caller-app-id": "email"}
    assert (await lab.auth.http.post(f"{path}/enable", headers=stranger)).status_code == 403
    assert (await lab.auth.http.post(f"{path}/enable")).status_code == 204
    back = await lab.login(form)
    assert back.status_code == 200, back.text
    assert (await lab.auth.get("/api/auth/me", back.json()["access_token"])).status_code == 200
    assert (await lab.auth.post("refresh", refresh_token=other["refresh_token"])).status_code == 401
    assert (await lab.auth.http.post(f"{path}/disable")).status_code == 204
    assert (await lab.login(form)).status_code == 401
    assert (await lab.auth.http.post(f"/internal/users/{new_id()}/disable")).status_code == 404
