"""Passkeys, by an authenticator in software, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import jwt
import pytest

from support.authenticator import PRESENT, Authenticator


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rsplit("/", 1)[-1]


def claims(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(jwt.decode(answer.json()["access_token"], options={"verify_signature": False}))


class Holder:
    """A user with authenticators."""

    def __init__(self, lab: Any, form: dict[str, str], session: dict[str, Any]) -> None:
        self.lab, self.form, self.session = lab, form, session
        self.token = session["access_token"]

    async def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = await self.lab.auth.http.request(method, f"/api/{path}", json=body or None, headers=headers)
        assert isinstance(answer, httpx.Response)
        return answer

    async def add(self, key: Authenticator, name: str = "phone") -> httpx.Response:
        begun = (await self.ask("POST", "mfa/passkeys/options")).json()
        made = {"ceremony_id": begun["ceremony_id"], "name": name, "credential": key.create(begun["options"])}
        return await self.ask("POST", "mfa/passkeys", **made)

    async def challenged(self) -> str:
        answer = await self.lab.login(self.form)
        assert slug(answer) == "mfa-required", answer.text
        return str(answer.json()["mfa_token"])


async def holder(lab: Any) -> Holder:
    form = await lab.verified()
    return Holder(lab, form, (await lab.login(form)).json())


async def shown(lab: Any, key: Authenticator) -> dict[str, Any]:
    """A use of a passkey, as `/login/passkey` takes it."""
    begun = (await lab.auth.post("login/passkey/options")).json()
    return {"ceremony_id": begun["ceremony_id"], "credential": key.get(begun["options"])}


async def login(lab: Any, key: Authenticator, **more: Any) -> httpx.Response:
    answer = await lab.auth.post("login/passkey", **await shown(lab, key), **more)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_a_passkey_signs_in_alone_and_as_second_step(lab: Any) -> None:
    ada, key = await holder(lab), Authenticator()
    begun = (await ada.ask("POST", "mfa/passkeys/options")).json()["options"]
    wanted = begun["authenticatorSelection"]
    assert (wanted["residentKey"], wanted["userVerification"]) == ("required", "required")
    added = await ada.add(key, "my phone")
    assert (added.status_code, added.json()["name"], len(added.json()["recovery_codes"])) == (201, "my phone", 10)
    alone = await login(lab, key)
    assert claims(alone)["amr"] == ["pop", "user", "mfa"]
    assert claims(alone)["sub"] == ada.session["user"]["user_id"]
    second = await login(lab, key, mfa_token=await ada.challenged())
    assert claims(second)["amr"] == ["pwd", "pop", "user", "mfa"]
    status = (await ada.ask("GET", "mfa/status")).json()
    assert (status["mfa_enabled"], [one["method"] for one in status["methods"]]) == (True, ["passkey"])
    code = added.json()["recovery_codes"][0]
    recovered = await lab.auth.post("login/mfa", mfa_token=await ada.challenged(), recovery_code=code)
    assert claims(recovered)["amr"] == ["pwd", "otp", "mfa"]


async def test_several_passkeys_are_named_and_removed(lab: Any) -> None:
    ada, phone, laptop = await holder(lab), Authenticator(), Authenticator()
    assert (await ada.add(phone, "phone")).json()["recovery_codes"]
    assert (await ada.add(laptop, "laptop")).json()["recovery_codes"] is None
    assert (await ada.add(phone, "phone")).status_code == 409
    kept = (await ada.ask("GET", "mfa/passkeys")).json()["passkeys"]
    assert [one["name"] for one in kept] == ["phone", "laptop"]
    eve = await holder(lab)
    assert (await eve.ask("DELETE", f"mfa/passkeys/{kept[0]['passkey_id']}")).status_code == 404
    assert (await ada.ask("DELETE", f"mfa/passkeys/{kept[0]['passkey_id']}")).status_code == 204
    assert slug(await login(lab, phone)) == "invalid-passkey"
    assert (await login(lab, laptop)).status_code == 200
    assert (await ada.ask("DELETE", f"mfa/passkeys/{kept[1]['passkey_id']}")).status_code == 204
    assert (await ada.ask("GET", "mfa/status")).json()["recovery_codes_left"] == 0
    assert (await lab.login(ada.form)).status_code == 200


async def test_a_counter_that_goes_back_is_refused_and_told(lab: Any) -> None:
    ada, key = await holder(lab), Authenticator()
    await ada.add(key)
    key.count = 7
    assert (await login(lab, key)).status_code == 200
    key.count = 6
    refused = await login(lab, key)
    assert (refused.status_code, slug(refused)) == (401, "invalid-passkey")

    async def told(event: dict[str, Any]) -> bool:
        ours = event["type"] == "omnify.auth.passkey.regressed.v1"
        return bool(ours and event["data"]["user_id"] == ada.session["user"]["user_id"])

    assert await lab.probe.first(told)
    key.count = 8
    assert (await login(lab, key)).status_code == 200, "the one that counts on still works"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: setattr(key, "flags", PRESENT),
        lambda key: setattr(key, "origin", "https://evil.example"),
        lambda key: setattr(key, "rp_id", "evil.example"),
        lambda key: setattr(key, "_key", Authenticator()._key),
        lambda key: setattr(key, "user", b"x"),
        lambda key: setattr(key, "user", bytes(16)),
        lambda key: setattr(key, "passkey_id", b"another"),
    ],
)
async def test_a_wrong_use_is_refused(lab: Any, spoil: Callable[[Authenticator], None]) -> None:
    ada, key = await holder(lab), Authenticator()
    await ada.add(key)
    spoil(key)
    assert slug(await login(lab, key)) == "invalid-passkey"


@pytest.mark.parametrize("credential", [{}, {"id": 1}, {"id": "x", "response": {}}, {"response": {"userHandle": 5}}])
async def test_what_is_no_credential_is_refused(lab: Any, credential: dict[str, Any]) -> None:
    ada = await holder(lab)
    begun = (await ada.ask("POST", "mfa/passkeys/options")).json()
    form = {"ceremony_id": begun["ceremony_id"], "credential": credential}
    assert slug(await ada.ask("POST", "mfa/passkeys", name="x", **form)) == "invalid-passkey"
    assert slug(await lab.auth.post("login/passkey", **form)) == "invalid-passkey"


async def test_a_passkey_without_user_verification_is_not_kept(lab: Any) -> None:
    ada, key = await holder(lab), Authenticator()
    key.flags = PRESENT
    assert slug(await ada.add(key)) == "invalid-passkey"


async def test_a_ceremony_is_for_its_user_and_for_one_use(lab: Any) -> None:
    ada, eve, key = await holder(lab), await holder(lab), Authenticator()
    begun = (await eve.ask("POST", "mfa/passkeys/options")).json()
    stolen = {"ceremony_id": begun["ceremony_id"], "credential": key.create(begun["options"]), "name": "x"}
    assert slug(await ada.ask("POST", "mfa/passkeys", **stolen)) == "invalid-passkey"
    await ada.add(key)
    form = await shown(lab, key)
    answers = await asyncio.gather(*(lab.auth.post("login/passkey", **form) for _ in range(32)))
    assert [answer.status_code for answer in answers].count(200) == 1, [answer.text for answer in answers]


async def test_somebody_elses_passkey_is_no_second_step(lab: Any) -> None:
    ada, eve = await holder(lab), await holder(lab)
    hers, other = Authenticator(), Authenticator()
    await ada.add(hers)
    await eve.add(other)
    assert slug(await login(lab, other, mfa_token=await ada.challenged())) == "invalid-passkey"


async def test_a_ceremony_ends_after_five_minutes(lab: Any, travel: Callable[[timedelta], None]) -> None:
    ada, key = await holder(lab), Authenticator()
    await ada.add(key)
    form = await shown(lab, key)
    travel(timedelta(minutes=5, seconds=1))
    assert slug(await lab.auth.post("login/passkey", **form)) == "invalid-passkey"


async def test_stepping_up_by_a_passkey(lab: Any) -> None:
    ada, key = await holder(lab), Authenticator()
    await ada.add(key)
    fresh = await ada.ask("POST", "auth/step-up/passkey", **await shown(lab, key))
    assert claims(fresh)["sid"] == ada.session["session_id"]
    assert claims(fresh)["amr"] == ["pwd", "pop", "user", "mfa"]
    eve = await holder(lab)
    assert slug(await eve.ask("POST", "auth/step-up/passkey", **await shown(lab, key))) == "invalid-passkey"


async def test_one_address_begins_few_sign_ins(lab: Any) -> None:
    async def begin(address: str) -> int:
        headers = {"x-forwarded-for": address}
        return int((await lab.auth.http.post("/api/auth/login/passkey/options", headers=headers)).status_code)

    most = lab.auth.settings.passkey_requests
    statuses = [await begin("198.51.100.9") for _ in range(most + 1)]
    assert statuses == [200] * most + [429]
    assert await begin("198.51.100.10") == 200
