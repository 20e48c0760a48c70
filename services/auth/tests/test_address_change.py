"""Another e-mail address for an account, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx

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


async def ask(lab: Any, tokens: dict[str, Any], new: str) -> httpx.Response:
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    answer = await lab.auth.http.post("/api/auth/change-email", json={"new_email": new}, headers=headers)
    assert isinstance(answer, httpx.Response)
    return answer


async def confirm(lab: Any, token: str) -> httpx.Response:
    answer = await lab.auth.post("change-email/confirm", token=token)
    assert isinstance(answer, httpx.Response)
    return answer


async def asked(lab: Any, form: dict[str, str], new: str) -> str:
    """The token that was mailed to the new address."""
    assert (await ask(lab, (await lab.login(form)).json(), new)).status_code == 202
    return str((await letter(lab, new, "email_change"))["token"])


async def test_the_new_address_counts_once_it_is_proven(lab: Any) -> None:
    form = await lab.verified()
    tokens, new = (await lab.login(form)).json(), f"new.{form['email']}"
    token = await asked(lab, form, new)
    assert (await letter(lab, form["email"], "email_change_asked"))["token"] is None
    assert (await lab.login(form | {"email": new})).status_code == 401, "not before"
    answer = await confirm(lab, token)
    assert (answer.status_code, answer.json()["status"]) == (200, "changed")
    assert (await letter(lab, form["email"], "email_changed"))["token"] is None
    assert (await lab.login(form)).status_code == 401
    signed_in = await lab.login(form | {"email": new.upper()})
    assert (signed_in.status_code, signed_in.json()["user"]["email"]) == (200, new)
    assert (await lab.auth.get("/api/auth/me", tokens["access_token"])).status_code == 200, "sessions go on"
    assert (await confirm(lab, token)).status_code == 400


async def test_the_address_that_was_left_is_free(lab: Any) -> None:
    form = await lab.verified()
    assert (await confirm(lab, await asked(lab, form, f"new.{form['email']}"))).status_code == 200
    await lab.verified(email=form["email"], full_name="Somebody Else")
    signed_in = await lab.login(form)
    assert signed_in.json()["user"]["full_name"] == "Somebody Else"


async def test_32_uses_of_one_link_have_one_winner(lab: Any) -> None:
    form = await lab.verified()
    token = await asked(lab, form, f"new.{form['email']}")
    answers = await asyncio.gather(*(confirm(lab, token) for _ in range(32)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 503}


async def test_of_two_who_want_one_address_one_gets_it(lab: Any) -> None:
    forms = [await lab.verified() for _ in range(2)]
    new = f"both.{forms[0]['email']}"
    tokens: list[str] = []
    for form in forms:
        assert (await ask(lab, (await lab.login(form)).json(), new)).status_code == 202
    async with asyncio.timeout(30):
        while len(tokens) < 2:
            events = [event for event in lab.probe.events if event["data"].get("kind") == "email_change"]
            letters = [
                (await lab.auth.http.post(f"/internal/letters/{event['data']['letter_id']}", headers=CALLER)).json()
                for event in events
            ]
            tokens = [letter["token"] for letter in letters if letter.get("email") == new]
            await asyncio.sleep(0.1)
    statuses = [answer.status_code for answer in await asyncio.gather(*(confirm(lab, token) for token in tokens))]
    assert sorted(statuses) == [200, 400]
    signed_in = [(await lab.login(form | {"email": new})).status_code for form in forms]
    assert 200 in signed_in
    kept = [(await lab.login(form)).status_code for form in forms]
    assert sorted(kept) == [200, 401], "the other one keeps what they had"


async def test_an_address_in_use_is_not_given_away_and_its_owner_is_told(lab: Any) -> None:
    mine, other = await lab.verified(), await lab.verified()
    tokens = (await lab.login(mine)).json()
    free = await ask(lab, tokens, f"free.{mine['email']}")
    taken = await ask(lab, tokens, other["email"])
    assert (taken.status_code, taken.content) == (free.status_code, free.content) == (202, free.content)
    owner = (await lab.login(other)).json()["user"]["user_id"]

    async def told(event: dict[str, Any]) -> bool:
        return bool(event["type"].endswith("registration.repeated.v1") and event["data"]["user_id"] == owner)

    assert await lab.probe.first(told)
    assert (await lab.login(other)).status_code == 200


async def test_a_new_password_makes_the_link_void(lab: Any) -> None:
    form = await lab.verified()
    token = await asked(lab, form, f"new.{form['email']}")
    headers = {"authorization": f"Bearer {(await lab.login(form)).json()['access_token']}"}
    body = {"current_password": form["password"], "new_password": "eleven slow otters hum"}
    assert (await lab.auth.http.post("/api/auth/change-password", json=body, headers=headers)).status_code == 200
    assert (await confirm(lab, token)).status_code == 400
    assert (await lab.login(form, "eleven slow otters hum")).status_code == 200


async def test_a_link_to_the_old_address_sets_no_password(lab: Any) -> None:
    form = await lab.verified()
    assert (await lab.auth.post("password-reset", email=form["email"])).status_code == 202
    reset = (await letter(lab, form["email"], "password_reset"))["token"]
    assert (await confirm(lab, await asked(lab, form, f"new.{form['email']}"))).status_code == 200
    answer = await lab.auth.post("password-reset/confirm", token=reset, new_password="eleven slow otters hum")
    assert answer.status_code == 400


async def test_what_is_refused(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    assert (await ask(lab, tokens, form["email"].upper())).status_code == 409
    assert (await ask(lab, tokens, "no address")).status_code == 422
    assert (await confirm(lab, "x")).status_code == 400
    token = await asked(lab, form, f"new.{form['email']}")
    travel(timedelta(minutes=61))
    assert (await confirm(lab, token)).status_code == 400


async def test_a_crash_before_the_old_claim_is_dropped_is_made_good(lab: Any) -> None:
    """The release that the process did not come to is done when auth hears its event."""
    form = await lab.verified()
    user_id = (await lab.login(form)).json()["user"]["user_id"]
    service = lab.auth.service
    old = await service.directory.name(form["email"])
    assert (await confirm(lab, await asked(lab, form, f"new.{form['email']}"))).status_code == 200
    from omnify_auth.records import Address

    await service.store.addresses.create(old, value=Address(user_id=user_id, organization_id="o"))
    assert (await lab.login(form)).status_code == 401, "a claim alone signs nobody in"

    async def changed(event: dict[str, Any]) -> dict[str, Any] | None:
        ours = event["type"] == "omnify.auth.address.changed.v1" and event["data"]["user_id"] == user_id
        return event if ours else None

    event = await lab.probe.first(changed)
    assert (await lab.auth.http.post("/events/auth-events", json=event)).json() == {"status": "SUCCESS"}
    assert await service.store.addresses.get(old) is None
