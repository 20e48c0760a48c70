"""Replacing a password, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

NEW = "eleven slow otters hum"
CALLER = {"dapr-caller-app-id": "email"}


async def letter(lab: Any, email: str, kind: str) -> dict[str, Any]:
    """The first letter of a kind to an address, asked for as the email service does."""

    async def wanted(event: dict[str, Any]) -> dict[str, Any] | None:
        if event["data"].get("kind") != kind:
            return None
        answer = await lab.auth.http.post(f"/internal/letters/{event['data']['letter_id']}", headers=CALLER)
        body = answer.json()
        return body if answer.status_code == 200 and body["email"] == email else None

    return dict(await lab.probe.first(wanted))


async def reset_token(lab: Any, email: str) -> str:
    answer = await lab.auth.post("password-reset", email=email)
    assert answer.status_code == 202, answer.text
    return str((await letter(lab, email, "password_reset"))["token"])


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


async def change(lab: Any, tokens: dict[str, Any], **body: Any) -> Any:
    return await lab.auth.http.post("/api/auth/change-password", json=body, headers=bearer(tokens))


async def status(lab: Any, tokens: dict[str, Any]) -> int:
    return int((await lab.auth.get("/api/auth/me", tokens["access_token"])).status_code)


async def test_a_changed_password_ends_the_other_sessions_and_its_owner_is_told(lab: Any) -> None:
    form = await lab.verified()
    mine, other = [(await lab.login(form)).json() for _ in range(2)]
    answer = await change(lab, mine, current_password=form["password"], new_password=NEW)
    assert (answer.status_code, answer.json()["status"]) == (200, "changed")
    assert (await status(lab, mine), await status(lab, other)) == (200, 401)
    refused = await lab.auth.post("refresh", refresh_token=other["refresh_token"])
    assert refused.json()["type"].endswith("/invalid-refresh-token")
    renewed = await lab.auth.post("refresh", refresh_token=mine["refresh_token"])
    assert renewed.status_code == 200
    assert await status(lab, renewed.json()) == 200
    assert (await lab.login(form)).status_code == 401
    again = await lab.login(form, NEW)
    assert await status(lab, again.json()) == 200, "a sign-in right after the change counts"
    assert (await letter(lab, form["email"], "password_changed"))["token"] is None


async def test_other_sessions_may_be_kept(lab: Any) -> None:
    form = await lab.verified()
    mine, other = [(await lab.login(form)).json() for _ in range(2)]
    answer = await change(lab, mine, current_password=form["password"], new_password=NEW, end_other_sessions=False)
    assert answer.status_code == 200
    assert await status(lab, other) == 200


async def test_the_change_asks_for_the_right_password_and_counts_guesses(lab: Any) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    statuses = [
        (await change(lab, tokens, current_password="not this one, sorry", new_password=NEW)).status_code
        for _ in range(6)
    ]
    assert statuses == [403] * 5 + [429]
    assert (await lab.login(form)).status_code == 429, "one counter for all who ask for the password"


async def test_a_weak_new_password_is_refused_with_its_reason(lab: Any) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    for weak in ("short", "passwordpassword"):
        answer = await change(lab, tokens, current_password=form["password"], new_password=weak)
        assert answer.status_code == 422, weak
        assert answer.json()["errors"][0]["field"] == "new_password"
    assert (await lab.login(form)).status_code == 200


async def test_a_mailed_link_sets_a_password_once(lab: Any) -> None:
    form = await lab.verified()
    session = (await lab.login(form)).json()
    token = await reset_token(lab, form["email"])
    assert (await lab.auth.post("password-reset/confirm", token=token, new_password="short")).status_code == 422
    tries = [lab.auth.post("password-reset/confirm", token=token, new_password=f"{NEW} {n}") for n in range(32)]
    answers = await asyncio.gather(*tries)
    winners = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    assert len(winners) == 1, [answer.status_code for answer in answers]
    assert {answer.status_code for answer in answers} <= {200, 400, 503}
    assert (await lab.login(form)).status_code == 401
    assert (await lab.login(form, f"{NEW} {winners[0]}")).status_code == 200
    assert await status(lab, session) == 401
    assert (await letter(lab, form["email"], "password_changed"))["token"] is None


async def test_any_change_makes_earlier_links_void(lab: Any) -> None:
    form = await lab.verified()
    token = await reset_token(lab, form["email"])
    tokens = (await lab.login(form)).json()
    assert (await change(lab, tokens, current_password=form["password"], new_password=NEW)).status_code == 200
    answer = await lab.auth.post("password-reset/confirm", token=token, new_password=f"{NEW} again")
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "invalid-token")


async def test_a_link_ends_after_half_an_hour(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.verified()
    token = await reset_token(lab, form["email"])
    travel(timedelta(minutes=31))
    assert (await lab.auth.post("password-reset/confirm", token=token, new_password=NEW)).status_code == 400


@pytest.mark.parametrize("token", ["", "x", "0" * 36 + ".x", "a" * 600])
async def test_made_up_tokens_are_refused(lab: Any, token: str) -> None:
    body = {"token": token, "new_password": NEW}
    assert (await lab.auth.post("password-reset/confirm", **body)).status_code in {400, 422}


async def test_a_reset_opens_an_account_that_guesses_had_closed(lab: Any) -> None:
    form = await lab.verified()
    for _ in range(5):
        await lab.login(form, "not this one, sorry")
    assert (await lab.login(form)).status_code == 429
    token = await reset_token(lab, form["email"])
    assert (await lab.auth.post("password-reset/confirm", token=token, new_password=NEW)).status_code == 200
    assert (await lab.login(form, NEW)).status_code == 200


async def test_an_unknown_address_is_answered_the_same(lab: Any) -> None:
    form = await lab.verified()
    known = await lab.auth.post("password-reset", email=form["email"])
    unknown = await lab.auth.post("password-reset", email="nobody@nowhere.example.com")
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


async def test_an_account_that_waits_for_its_proof_gets_that_link(lab: Any) -> None:
    form = await lab.registered()
    first = await lab.mailed_token(form["email"])
    seen = len(lab.probe.events)
    assert (await lab.auth.post("password-reset", email=form["email"])).status_code == 202

    async def asked_again(event: dict[str, Any]) -> str | None:
        if event["type"] != "omnify.auth.verification.requested.v1" or event in lab.probe.events[:seen]:
            return None
        mail = (await lab.mint(event["data"]["verification_id"])).json()
        return str(mail["token"]) if mail.get("email") == form["email"] else None

    again = str(await lab.probe.first(asked_again))
    assert again != first
    assert (await lab.auth.post("verify-email", token=again)).status_code == 200
    assert (await lab.login(form)).status_code == 200


async def test_an_address_gets_few_mails(lab: Any) -> None:
    form = await lab.verified()
    user_id = (await lab.login(form)).json()["user"]["user_id"]
    for _ in range(8):
        assert (await lab.auth.post("password-reset", email=form["email"])).status_code == 202
    most = lab.auth.settings.mails_per_window - 1  # the mail of the registration counts too

    def asked_for() -> int:
        data = [event["data"] for event in lab.probe.events]
        return sum(one.get("kind") == "password_reset" and one["user_id"] == user_id for one in data)

    async with asyncio.timeout(60):
        while asked_for() < most:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    assert asked_for() == most


async def test_tokens_of_before_a_change_are_refused_by_another_replica(lab: Any) -> None:
    async with lab.another() as other:
        form = await lab.verified()
        mine, gone = [(await lab.login(form)).json() for _ in range(2)]
        assert (await other.get("/api/auth/me", gone["access_token"])).status_code == 200
        assert (await change(lab, mine, current_password=form["password"], new_password=NEW)).status_code == 200
        async with asyncio.timeout(30):
            while (await other.get("/api/auth/me", gone["access_token"])).status_code != 401:
                await asyncio.sleep(0.05)
        assert (await other.get("/api/auth/me", mine["access_token"])).status_code == 200


@pytest.mark.parametrize("name", ["admin", "root", "administrator", "omnify", "test", "demo"])
@pytest.mark.parametrize("domain", ["example.com", "omnify.example", "localhost"])
async def test_nobody_has_an_account_that_they_did_not_make(lab: Any, name: str, domain: str) -> None:
    """ASVS 6.3.2: whatever a fresh store has, no address of the usual names is claimed in it."""
    service = lab.auth.service
    claim = await service.store.addresses.get(await service.directory.name(f"{name}@{domain}"))
    assert claim is None
