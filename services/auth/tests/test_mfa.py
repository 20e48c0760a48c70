"""Second factors: the rules alone, then setting up, signing in, stepping up and racing, on real sidecars."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import jwt
import pyotp
import pytest

from omnify_auth.errors import NoFactor
from omnify_auth.recovery import COUNT, LENGTH, digest, new_codes
from omnify_auth.service.second_factor import Holder
from omnify_auth.totp import key_uri, matching_step, new_secret
from omnify_shared import clock

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_6238 = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}
Travel = Callable[[timedelta], None]


@pytest.mark.parametrize(("seconds", "eight_digits"), RFC_6238.items())
def test_the_codes_of_rfc_6238(seconds: int, eight_digits: str) -> None:
    now, code = datetime.fromtimestamp(seconds, UTC), eight_digits[-6:]
    assert matching_step(RFC_SECRET, code, now) == seconds // 30
    assert matching_step(RFC_SECRET, code, now + timedelta(seconds=30)) == seconds // 30, "one step late"
    assert matching_step(RFC_SECRET, code, now + timedelta(seconds=60)) is None
    assert matching_step(RFC_SECRET, code, now - timedelta(seconds=30)) is None, "never early"


def test_recovery_codes_are_65_bits_and_forgive_how_they_are_typed() -> None:
    codes = new_codes()
    assert len(set(codes)) == COUNT == 10
    assert all(len(code) == LENGTH == 13 and set(code) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for code in codes)
    key = b"k" * 32
    assert digest("abcd-oib23 4567", "u", key) == digest("ABCD018234567", "u", key)
    assert digest("ABCD018234567", "u", key) != digest("ABCD018234567", "v", key)
    assert "ABCD" not in digest("ABCD018234567", "u", key)


def test_the_uri_names_us_and_the_account() -> None:
    parsed = pyotp.parse_uri(key_uri(secret := new_secret(), "ada@shop.example.com"))
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.secret, parsed.issuer, parsed.name) == (secret, "Omnify", "ada@shop.example.com")
    assert (parsed.digits, parsed.interval) == (6, 30)


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rsplit("/", 1)[-1]


@dataclass
class Person:
    """A user with an authenticator app; `app.now()` is the code it shows at the service's time."""

    lab: Any
    form: dict[str, str]
    token: str
    session: dict[str, Any]
    secret: str = ""
    codes: tuple[str, ...] = ()

    def now(self) -> str:
        return pyotp.TOTP(self.secret).at(int(clock.now().timestamp()))

    async def post(self, path: str, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = await self.lab.auth.http.post(f"/api/{path}", json=body or None, headers=headers)
        assert isinstance(answer, httpx.Response)
        return answer

    async def status(self) -> dict[str, Any]:
        return dict((await self.lab.auth.get("/api/mfa/status", self.token)).json())

    async def challenged(self) -> str:
        answer = await self.lab.login(self.form)
        assert (answer.status_code, slug(answer)) == (403, "mfa-required")
        return str(answer.json()["mfa_token"])

    async def second_step(self, token: str, **proof: str) -> httpx.Response:
        answer = await self.lab.auth.post("login/mfa", mfa_token=token, **proof)
        assert isinstance(answer, httpx.Response)
        return answer


async def person(lab: Any) -> Person:
    form = await lab.verified()
    session = (await lab.login(form)).json()
    return Person(lab, form, session["access_token"], session)


async def enrolled(lab: Any, travel: Travel) -> Person:
    """With a generator in use whose present code is unspent."""
    made = await person(lab)
    made.secret = (await made.post("mfa/totp/setup")).json()["secret"]
    answer = await made.post("mfa/totp/verify", code=made.now())
    assert answer.status_code == 200, answer.text
    made.codes = tuple(answer.json()["recovery_codes"])
    travel(timedelta(seconds=30))
    return made


def claims(answer: httpx.Response) -> dict[str, Any]:
    return dict(jwt.decode(answer.json()["access_token"], options={"verify_signature": False}))


def wrong(code: str) -> str:
    return f"{(int(code) + 500_000) % 1_000_000:06}"


async def test_setting_a_generator_up(lab: Any) -> None:
    ada = await person(lab)
    assert (await ada.status())["status"] == "disabled"
    assert slug(await ada.post("mfa/totp/verify", code="123456")) == "no-such-factor"
    made = (await ada.post("mfa/totp/setup")).json()
    assert made["qr_code"].startswith("data:image/svg+xml")
    assert pyotp.parse_uri(made["uri"]).secret == made["secret"]
    assert ((await ada.status())["status"], (await ada.status())["mfa_enabled"]) == ("pending_setup", False)
    assert (await lab.login(ada.form)).status_code == 200, "what is not proven is not asked for"
    ada.secret = made["secret"]
    refused = await ada.post("mfa/totp/verify", code=wrong(ada.now()))
    assert (refused.status_code, slug(refused)) == (401, "invalid-code")
    proven = await ada.post("mfa/totp/verify", code=ada.now())
    assert proven.headers["cache-control"] == "no-store"
    assert len(proven.json()["recovery_codes"]) == 10
    status = await ada.status()
    assert (status["status"], status["recovery_codes_left"]) == ("enabled", 10)
    assert [method["method"] for method in status["methods"]] == ["totp"]
    refreshed = await lab.auth.post("refresh", refresh_token=ada.session["refresh_token"])
    assert claims(refreshed)["amr"] == ["pwd", "otp", "mfa"], "the session has shown both"


async def test_a_changed_factor_ends_the_other_sessions_where_that_is_asked_for(lab: Any, travel: Travel) -> None:
    ada = await person(lab)
    other = (await lab.login(ada.form)).json()
    ada.secret = (await ada.post("mfa/totp/setup")).json()["secret"]
    refused = await ada.post("mfa/totp/verify?end_other_sessions=true", code=wrong(ada.now()))
    assert refused.status_code == 401, "nothing changed, so nothing ends"
    assert (await ada.post("mfa/totp/verify", code=ada.now())).status_code == 200, "not asked for"
    assert (await lab.auth.get("/api/auth/me", other["access_token"])).status_code == 200
    travel(timedelta(seconds=30))
    body = {"method": "totp", "code": ada.now()}
    assert (await ada.post("mfa/disable?end_other_sessions=true", **body)).status_code == 200
    assert (await lab.auth.get("/api/auth/me", other["access_token"])).status_code == 401
    assert (await lab.auth.post("refresh", refresh_token=other["refresh_token"])).status_code == 401
    assert (await lab.auth.get("/api/auth/me", ada.token)).status_code == 200


def test_all_that_changes_factors_can_end_the_other_sessions(lab: Any) -> None:
    paths = lab.auth.app.openapi()["paths"]
    offering = {
        (method, path)
        for path, routes in paths.items()
        for method, route in routes.items()
        if any(parameter["name"] == "end_other_sessions" for parameter in route.get("parameters", ()))
    }
    assert offering == {
        ("post", "/api/mfa/totp/verify"),
        ("post", "/api/mfa/disable"),
        ("post", "/api/mfa/recovery-codes"),
        ("post", "/api/mfa/passkeys"),
        ("delete", "/api/mfa/passkeys/{passkey_id}"),
    }


async def test_a_setup_that_waits_too_long_is_void(lab: Any, travel: Travel) -> None:
    ada = await person(lab)
    ada.secret = (await ada.post("mfa/totp/setup")).json()["secret"]
    travel(timedelta(minutes=15, seconds=1))
    with pytest.raises(NoFactor):
        await lab.auth.service.enrolment.prove(Holder(ada.session["user"]["user_id"], "o"), ada.now())


async def test_signing_in_takes_two_steps(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    assert slug(await lab.login(ada.form, "nine yellow lanterns hum")) == "invalid-credentials"
    answer = await lab.login(ada.form)
    assert (answer.status_code, answer.json()["methods"]) == (403, ["totp", "recovery_code"])
    assert answer.headers["cache-control"] == "no-store"
    assert "access_token" not in answer.json()
    token = answer.json()["mfa_token"]
    assert slug(await ada.second_step(token, code=wrong(ada.now()))) == "invalid-code"
    signed_in = await ada.second_step(token, code=ada.now())
    assert signed_in.status_code == 200, signed_in.text
    assert claims(signed_in)["amr"] == ["pwd", "otp", "mfa"]
    assert claims(signed_in)["roles"] == ["owner"]
    again = await ada.second_step(token, recovery_code=ada.codes[0])
    assert (again.status_code, slug(again)) == (401, "invalid-mfa-token")
    assert (await ada.status())["recovery_codes_left"] == 10, "nothing is spent on a void challenge"


async def test_a_code_is_good_once(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    code = ada.now()
    assert (await ada.second_step(await ada.challenged(), code=code)).status_code == 200
    token = await ada.challenged()
    assert slug(await ada.second_step(token, code=code)) == "invalid-code"
    travel(timedelta(seconds=30))
    assert slug(await ada.second_step(token, code=code)) == "invalid-code"
    assert (await ada.second_step(token, code=ada.now())).status_code == 200


async def test_32_uses_of_one_code_have_one_winner(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    tokens = await asyncio.gather(*(ada.challenged() for _ in range(8)))
    code = ada.now()
    answers = await asyncio.gather(*(ada.second_step(tokens[number % 8], code=code) for number in range(32)))
    assert [answer.status_code for answer in answers].count(200) == 1, [answer.text for answer in answers]
    assert {answer.status_code for answer in answers} == {200, 401}


async def test_32_uses_of_one_recovery_code_have_one_winner(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    tokens = await asyncio.gather(*(ada.challenged() for _ in range(8)))
    uses = [ada.second_step(tokens[number % 8], recovery_code=ada.codes[0]) for number in range(32)]
    answers = await asyncio.gather(*uses)
    assert [answer.status_code for answer in answers].count(200) == 1, [answer.text for answer in answers]
    assert (await ada.status())["recovery_codes_left"] == 9


async def test_32_codes_for_one_challenge_start_one_session(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    token = await ada.challenged()
    proofs = [{"code": ada.now()}, *({"recovery_code": code} for code in ada.codes)]
    answers = await asyncio.gather(*(ada.second_step(token, **proofs[number % 11]) for number in range(32)))
    assert [answer.status_code for answer in answers].count(200) == 1, [answer.text for answer in answers]


async def test_32_proofs_of_one_setup_have_one_winner(lab: Any) -> None:
    ada = await person(lab)
    ada.secret = (await ada.post("mfa/totp/setup")).json()["secret"]
    answers = await asyncio.gather(*(ada.post("mfa/totp/verify", code=ada.now()) for _ in range(32)))
    shown = [answer.json()["recovery_codes"] for answer in answers if answer.status_code == 200]
    assert len(shown) == 1, [answer.text for answer in answers]
    assert (await ada.second_step(await ada.challenged(), recovery_code=shown[0][0])).status_code == 200


async def test_recovery_codes_are_good_once_and_are_replaced(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    typed = f"{ada.codes[0][:5]}-{ada.codes[0][5:]}".lower()
    signed_in = await ada.second_step(await ada.challenged(), recovery_code=typed)
    assert signed_in.status_code == 200, signed_in.text
    assert slug(await ada.second_step(await ada.challenged(), recovery_code=ada.codes[0])) == "invalid-code"

    async def told(event: dict[str, Any]) -> bool:
        ours = event["type"] == "omnify.auth.recovery_code.used.v1"
        return bool(ours and event["data"]["user_id"] == ada.session["user"]["user_id"] and event["data"]["left"] == 9)

    assert await lab.probe.first(told)
    ada.token = signed_in.json()["access_token"]
    renewed = (await ada.post("mfa/recovery-codes")).json()["recovery_codes"]
    assert (len(set(renewed)), set(renewed) & set(ada.codes)) == (10, set())
    token = await ada.challenged()
    assert slug(await ada.second_step(token, recovery_code=ada.codes[1])) == "invalid-code"
    assert (await ada.second_step(token, recovery_code=renewed[1])).status_code == 200


async def test_wrong_codes_are_counted_for_their_factor_alone(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    token = await ada.challenged()
    for _ in range(5):
        assert slug(await ada.second_step(token, code=wrong(ada.now()))) == "invalid-code"
    refused = await ada.second_step(token, code=ada.now())
    assert (refused.status_code, slug(refused)) == (429, "too-many-guesses")
    assert 20 <= int(refused.headers["retry-after"]) <= 30
    assert (await ada.second_step(await ada.challenged(), recovery_code=ada.codes[0])).status_code == 200
    assert (await ada.second_step(token, code=ada.now())).status_code == 429, "another factor does not forgive"
    travel(timedelta(seconds=31))
    assert (await ada.second_step(await ada.challenged(), code=ada.now())).status_code == 200


async def test_guesses_at_once_gain_nothing(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    token, guess = await ada.challenged(), wrong(ada.now())
    answers = await asyncio.gather(*(ada.second_step(token, code=guess) for _ in range(32)))
    assert [answer.status_code for answer in answers].count(401) <= 5, [answer.text for answer in answers]
    guard = await lab.auth.service.store.guards.get(f"{ada.session['user']['user_id']}.totp")
    assert guard.failures <= 5


@pytest.mark.parametrize("token", ["x", "", ".", "019f0000-0000-7000-8000-000000000000.x", "é.é"])
async def test_made_up_challenges(lab: Any, token: str) -> None:
    answer = await lab.auth.post("login/mfa", mfa_token=token, code="123456")
    assert answer.status_code in (401, 422)


async def test_a_challenge_ends_with_its_time_its_secret_and_its_password(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    token = await ada.challenged()
    assert slug(await ada.second_step(token[:-1], code=ada.now())) == "invalid-mfa-token"
    user_id = ada.session["user"]["user_id"]
    other = await lab.auth.service.hasher.hash("another password here")
    before = (await lab.auth.service.store.users.get(user_id)).password
    await set_password(lab, user_id, other)
    assert slug(await ada.second_step(token, code=ada.now())) == "invalid-mfa-token"
    await set_password(lab, user_id, before)
    travel(timedelta(minutes=5, seconds=1))
    assert slug(await ada.second_step(token, code=ada.now())) == "invalid-mfa-token"


async def set_password(lab: Any, user_id: str, password: Any) -> None:
    await lab.auth.service.store.users.update(
        user_id, change=lambda user, _: user.model_copy(update={"password": password})
    )


async def test_another_replica_takes_the_second_step(lab: Any, travel: Travel) -> None:
    async with lab.another() as other:
        ada = await enrolled(lab, travel)
        token, code = await ada.challenged(), ada.now()
        answers = await asyncio.gather(
            *(replica.post("login/mfa", mfa_token=token, code=code) for replica in (lab.auth, other) for _ in range(8))
        )
        assert [answer.status_code for answer in answers].count(200) == 1


async def test_stepping_up(lab: Any) -> None:
    ada = await person(lab)
    long_ago = clock.now() - timedelta(minutes=11)
    await lab.auth.service.store.sessions.update(
        ada.session["session_id"], change=lambda session, _: session.model_copy(update={"signed_in_at": long_ago})
    )
    ada.token = (await lab.auth.post("refresh", refresh_token=ada.session["refresh_token"])).json()["access_token"]
    stale = await ada.post("mfa/totp/setup")
    assert (stale.status_code, slug(stale)) == (401, "reauthentication-required")
    assert slug(await ada.post("auth/step-up", password="nine yellow lanterns hum")) == "invalid-credentials"
    fresh = await ada.post("auth/step-up", password=ada.form["password"])
    assert fresh.status_code == 200, fresh.text
    assert claims(fresh)["sid"] == ada.session["session_id"]
    ada.token = fresh.json()["access_token"]
    assert (await ada.post("mfa/totp/setup")).status_code == 200
    assert slug(await ada.post("mfa/totp/verify", code="123456")) == "invalid-code", "set up, and to be proven"


async def test_stepping_up_takes_the_second_factor_too(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    wanted = await ada.post("auth/step-up", password=ada.form["password"])
    assert (wanted.status_code, slug(wanted), wanted.json()["methods"]) == (
        403, "mfa-required", ["totp", "recovery_code"],
    )  # fmt: skip
    assert "mfa_token" not in wanted.json()
    password = ada.form["password"]
    assert slug(await ada.post("auth/step-up", password=password, code=wrong(ada.now()))) == "invalid-code"
    fresh = await ada.post("auth/step-up", password=password, code=ada.now())
    assert claims(fresh)["amr"] == ["pwd", "otp", "mfa"]
    for _ in range(5):
        await ada.post("auth/step-up", password="nine yellow lanterns hum", code=ada.now())
    assert (await lab.login(ada.form)).status_code == 429, "guesses here are guesses at the password"


async def test_taking_a_factor_away(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    assert (await ada.post("mfa/disable", method="totp")).status_code == 422
    assert slug(await ada.post("mfa/disable", method="totp", code=wrong(ada.now()))) == "invalid-code"
    assert (await ada.post("mfa/disable", method="totp", code=ada.now())).json() == {"success": True}
    status = await ada.status()
    assert (status["status"], status["recovery_codes_left"]) == ("disabled", 0)
    assert slug(await ada.post("mfa/recovery-codes")) == "no-such-factor"
    assert (await lab.login(ada.form)).status_code == 200


async def test_a_new_phone_replaces_the_old_one(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    old = ada.secret
    ada.secret = (await ada.post("mfa/totp/setup")).json()["secret"]
    moved = await ada.post("mfa/totp/verify", code=ada.now())
    assert moved.json() == {"success": True, "recovery_codes": None}, "the recovery codes stay"
    travel(timedelta(seconds=30))
    token = await ada.challenged()
    assert slug(await ada.second_step(token, code=pyotp.TOTP(old).at(int(clock.now().timestamp())))) == "invalid-code"
    assert (await ada.second_step(token, code=ada.now())).status_code == 200


async def test_nothing_of_a_factor_lies_readable(lab: Any, travel: Travel, caplog: pytest.LogCaptureFixture) -> None:
    ada = await enrolled(lab, travel)
    token = await ada.challenged()
    user_id, challenge_id = ada.session["user"]["user_id"], token.partition(".")[0]
    state = lab.auth.app.state.platform.state
    found = await state.get_many([f"factors/{user_id}", f"challenge/{challenge_id}"])
    assert len(found) == 2
    stored = b"".join(entry.data for entry in found.values())
    for text in (ada.secret, *ada.codes, token.partition(".")[2]):
        assert text.encode() not in stored
        assert text not in caplog.text
    assert not any(text in str(lab.probe.events) for text in (ada.secret, *ada.codes, token))


async def aged(lab: Any, ada: Person, by: timedelta) -> None:
    """Makes an account older than it is."""
    await lab.auth.service.store.users.update(
        ada.session["user"]["user_id"],
        change=lambda user, _: user.model_copy(update={"created_at": user.created_at - by}),
    )


async def refreshed(lab: Any, ada: Person) -> httpx.Response:
    answer = await lab.auth.post("refresh", refresh_token=ada.session["refresh_token"])
    assert answer.status_code == 200, answer.text
    ada.session, ada.token = answer.json(), answer.json()["access_token"]
    return answer  # type: ignore[no-any-return]


async def test_owners_must_enrol_after_seven_days(lab: Any, travel: Travel) -> None:
    ada = await person(lab)
    assert ada.session["mfa_enrolment_required"] is False
    await aged(lab, ada, timedelta(days=6, hours=23))
    assert (await lab.login(ada.form)).json()["mfa_enrolment_required"] is False
    await aged(lab, ada, timedelta(hours=2))
    held = await lab.login(ada.form)
    assert (held.status_code, held.json()["mfa_enrolment_required"]) == (200, True)
    assert (held.json()["user"]["roles"], claims(held)["roles"]) == ([], [])
    assert (await refreshed(lab, ada)).json()["mfa_enrolment_required"] is True, "older sessions are held back too"
    headers = {"authorization": f"Bearer {ada.token}"}
    refused = await lab.auth.http.put("/api/mfa/policy", json={"mfa_policy": "optional"}, headers=headers)
    assert (refused.status_code, slug(refused)) == (403, "mfa-enrolment-required")
    me = await lab.auth.get("/api/auth/me", ada.token)
    assert (me.status_code, me.json()["permissions"]) == (200, [])
    ada.secret = (await ada.post("mfa/totp/setup")).json()["secret"]
    assert (await ada.post("mfa/totp/verify", code=ada.now())).status_code == 200
    free = await refreshed(lab, ada)
    assert (free.json()["mfa_enrolment_required"], free.json()["user"]["roles"]) == (False, ["owner"])
    travel(timedelta(seconds=30))
    kept = await ada.post("mfa/disable", method="totp", code=ada.now())
    assert (kept.status_code, slug(kept)) == (409, "mfa-demanded")
    assert (await ada.post("auth/logout")).status_code == 204


async def test_a_session_that_is_held_back_can_leave(lab: Any) -> None:
    ada = await person(lab)
    await aged(lab, ada, timedelta(days=8))
    await refreshed(lab, ada)
    assert (await ada.post("auth/logout")).status_code == 204


@pytest.mark.parametrize(("policy", "role", "held"), [
    ("optional", "owner", False), ("privileged", "owner", True), ("privileged", "admin", True),
    ("privileged", "manager", False), ("required", "viewer", True),
])  # fmt: skip
async def test_whom_a_policy_asks(lab: Any, policy: str, role: str, held: bool) -> None:
    ada = await person(lab)
    headers = {"authorization": f"Bearer {ada.token}"}
    changed = await lab.auth.http.put("/api/mfa/policy", json={"mfa_policy": policy}, headers=headers)
    assert changed.json() == {"mfa_policy": policy}, changed.text
    await aged(lab, ada, timedelta(days=8))
    await lab.auth.service.store.users.update(
        ada.session["user"]["user_id"],
        change=lambda user, _: user.model_copy(
            update={"memberships": (user.memberships[0].model_copy(update={"roles": (role,)}),)}
        ),
    )
    answer = await lab.login(ada.form)
    assert answer.json()["mfa_enrolment_required"] is held
    assert answer.json()["user"]["roles"] == ([] if held else [role])


async def test_only_who_may_changes_the_policy(lab: Any) -> None:
    ada = await person(lab)
    await lab.auth.service.store.users.update(
        ada.session["user"]["user_id"],
        change=lambda user, _: user.model_copy(
            update={"memberships": (user.memberships[0].model_copy(update={"roles": ("admin",)}),)}
        ),
    )
    await refreshed(lab, ada)
    headers = {"authorization": f"Bearer {ada.token}"}
    refused = await lab.auth.http.put("/api/mfa/policy", json={"mfa_policy": "optional"}, headers=headers)
    assert (refused.status_code, slug(refused)) == (403, "forbidden")


async def test_a_reset_password_leaves_the_second_factor_alone(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    assert (await lab.auth.post("password-reset", email=ada.form["email"])).status_code == 202

    async def link(event: dict[str, Any]) -> str | None:
        if event["data"].get("kind") != "password_reset":
            return None
        headers = {"dapr-caller-app-id": "email"}
        letter = await lab.auth.http.post(f"/internal/letters/{event['data']['letter_id']}", headers=headers)
        ours = letter.status_code == 200 and letter.json()["email"] == ada.form["email"]
        return str(letter.json()["token"]) if ours else None

    new = "eleven slow otters hum"
    token = await lab.probe.first(link)
    assert (await lab.auth.post("password-reset/confirm", token=token, new_password=new)).status_code == 200
    waiting = await lab.login(ada.form, new)
    assert (waiting.status_code, slug(waiting)) == (403, "mfa-required")
    shown = await lab.auth.post("login/mfa", mfa_token=waiting.json()["mfa_token"], code=ada.now())
    assert (shown.status_code, claims(shown)["amr"]) == (200, ["pwd", "otp", "mfa"])


async def test_what_changes_about_factors_is_told_by_mail_once(lab: Any, travel: Travel) -> None:
    ada = await enrolled(lab, travel)
    assert (await ada.post("mfa/disable", method="totp", recovery_code=ada.codes[0])).status_code == 200
    wanted = {
        "an authenticator app was added",
        "a recovery code was used; 9 are left",
        "an authenticator app was taken away",
    }
    user_id = ada.session["user"]["user_id"]

    async def told() -> list[str]:
        found = []
        for event in list(lab.probe.events):
            if event["data"].get("kind") == "factors_changed" and event["data"]["user_id"] == user_id:
                headers = {"dapr-caller-app-id": "email"}
                letter = await lab.auth.http.post(f"/internal/letters/{event['data']['letter_id']}", headers=headers)
                found.append(letter.json()["values"]["news"])
        return found

    async with asyncio.timeout(30):
        while set(await told()) != wanted:
            await asyncio.sleep(0.1)
    changes = [event for event in lab.probe.events if event["data"].get("user_id") == user_id]
    for event in [event for event in changes if ".factor." in event["type"]]:
        delivered = await lab.auth.http.post("/events/auth-events", json=event)
        assert delivered.json() == {"status": "SUCCESS"}
    await asyncio.sleep(1)
    assert sorted(await told()) == sorted(wanted), "delivered again, told once"
