"""Signing in, refreshing, signing out and guessing, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import jwt
import pytest

from omnify_auth.guard import Ladder
from omnify_auth.service.guessing import Target
from omnify_shared.identity import LEEWAY

WRONG = "nine yellow lanterns hum"


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rsplit("/", 1)[-1]


async def refresh(lab: Any, token: str) -> httpx.Response:
    answer = await lab.auth.post("refresh", refresh_token=token)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_unknown_address_and_wrong_password_look_alike(lab: Any) -> None:
    known, unknown = await lab.verified(), lab.form()
    for _ in range(7):
        answers = [await lab.login(form, WRONG) for form in (known, unknown)]
        first, second = ({**answer.json(), "request_id": ""} for answer in answers)
        assert answers[0].status_code == answers[1].status_code
        assert first == second
        assert answers[0].headers.keys() == answers[1].headers.keys()


async def test_the_published_key_verifies_the_token(lab: Any) -> None:
    signed_in = await lab.signed_in()
    published = await lab.auth.http.get("/.well-known/jwks.json")
    assert published.headers["cache-control"] == "public, max-age=300"
    keys = jwt.PyJWKSet.from_dict(published.json())
    assert not any("d" in key for key in published.json()["keys"])
    header = jwt.get_unverified_header(signed_in["access_token"])
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    claims = jwt.decode(signed_in["access_token"], keys[header["kid"]], ["ES256"], audience="omnify", issuer="omnify")
    assert claims["sub"] == signed_in["user"]["user_id"]
    assert claims["org"] == signed_in["user"]["organization_id"]
    assert claims["sid"] == signed_in["session_id"]
    assert claims["exp"] - claims["iat"] == 300
    assert (claims["roles"], claims["amr"], claims["client_id"]) == (["owner"], ["pwd"], "omnify")
    assert claims["auth_time"] <= claims["iat"]


async def test_refresh_rotates_and_repeats_within_the_grace(lab: Any) -> None:
    signed_in = await lab.signed_in()
    first = await refresh(lab, signed_in["refresh_token"])
    again = await refresh(lab, signed_in["refresh_token"])
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["refresh_token"] == again.json()["refresh_token"] != signed_in["refresh_token"]
    assert first.json()["session_id"] == signed_in["session_id"]
    assert first.headers["cache-control"] == "no-store"
    assert (await refresh(lab, first.json()["refresh_token"])).status_code == 200


async def test_32_refreshes_at_once_have_one_successor(lab: Any) -> None:
    token = (await lab.signed_in())["refresh_token"]
    answers = await asyncio.gather(*(refresh(lab, token) for _ in range(32)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_reuse_after_the_grace_ends_the_session(lab: Any, travel: Callable[[timedelta], None]) -> None:
    signed_in = await lab.signed_in()
    current = (await refresh(lab, signed_in["refresh_token"])).json()
    travel(timedelta(seconds=11))
    reused = await refresh(lab, signed_in["refresh_token"])
    assert (reused.status_code, slug(reused)) == (401, "invalid-refresh-token")
    assert (await refresh(lab, current["refresh_token"])).status_code == 401
    assert (await lab.auth.get("/api/auth/me", current["access_token"])).status_code == 401
    assert await revoked(lab, signed_in["session_id"])


async def test_a_token_spent_twice_over_is_reused_even_within_the_grace(lab: Any) -> None:
    first = (await lab.signed_in())["refresh_token"]
    second = (await refresh(lab, first)).json()["refresh_token"]
    third = (await refresh(lab, second)).json()["refresh_token"]
    assert (await refresh(lab, first)).status_code == 401
    assert (await refresh(lab, third)).status_code == 401


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: t + "A", lambda t: t[5:], lambda t: "x", lambda t: t[::-1]]
)
async def test_a_made_up_token_is_refused_and_ends_nothing(lab: Any, spoil: Callable[[str], str]) -> None:
    token = (await lab.signed_in())["refresh_token"]
    refused = await refresh(lab, spoil(token))
    assert (refused.status_code, slug(refused)) == (401, "invalid-refresh-token")
    assert (await refresh(lab, token)).status_code == 200


async def test_a_session_ends_when_idle_or_old(lab: Any, travel: Callable[[timedelta], None]) -> None:
    idle, busy = (await lab.signed_in())["refresh_token"], (await lab.signed_in())["refresh_token"]
    for _ in range(28):
        travel(timedelta(minutes=50))
        answer = await refresh(lab, busy)
        assert answer.status_code == 200
        busy = answer.json()["refresh_token"]
    assert (await refresh(lab, idle)).status_code == 401
    travel(timedelta(minutes=41))
    assert (await refresh(lab, busy)).status_code == 401


async def test_logout_ends_everything_at_once(lab: Any) -> None:
    signed_in = await lab.signed_in()
    headers = {"authorization": f"Bearer {signed_in['access_token']}"}
    ended = await lab.auth.http.post("/api/auth/logout", headers=headers)
    assert (ended.status_code, ended.content) == (204, b"")
    for path in ("me", "logout"):
        method = "GET" if path == "me" else "POST"
        answer = await lab.auth.http.request(method, f"/api/auth/{path}", headers=headers)
        assert answer.status_code == 401
    assert (await refresh(lab, signed_in["refresh_token"])).status_code == 401
    assert await revoked(lab, signed_in["session_id"])


async def revoked(lab: Any, session_id: str) -> bool:
    async def wanted(event: dict[str, Any]) -> bool:
        ended = event["type"] == "omnify.auth.session.revoked.v1"
        return ended and event["data"]["session_id"] == session_id and "expires_at" in event["data"]

    return bool(await lab.probe.first(wanted))


async def test_an_expired_access_token_is_refused(lab: Any, travel: Callable[[timedelta], None]) -> None:
    token = (await lab.signed_in())["access_token"]
    assert (await lab.auth.get("/api/auth/me", token)).status_code == 200
    travel(timedelta(minutes=5, seconds=LEEWAY + 1))
    assert (await lab.auth.get("/api/auth/me", token)).status_code == 401


async def test_five_free_guesses_then_longer_and_longer_waits(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.verified()
    for _ in range(5):
        assert (await lab.login(form, WRONG)).status_code == 401
    for wait in (30, 60, 120):
        refused = await lab.login(form)
        assert (refused.status_code, slug(refused)) == (429, "too-many-guesses")
        assert wait - 2 <= int(refused.headers["retry-after"]) <= wait
        travel(timedelta(seconds=wait + 1))
        assert (await lab.login(form, WRONG)).status_code == 401
    travel(timedelta(minutes=5))
    assert (await lab.login(form)).status_code == 200
    assert (await lab.login(form, WRONG)).status_code == 401


async def test_guesses_at_once_gain_nothing(lab: Any) -> None:
    """100 guesses, the right one among them: never more than five are answered, and what is counted is what was."""
    form = await lab.verified()
    guesses = [WRONG + str(number) for number in range(60)] + [form["password"]] + [WRONG] * 39
    answers = await asyncio.gather(*(lab.login(form, guess) for guess in guesses))
    judged = [answer for answer in answers if answer.status_code in (200, 401)]
    assert {answer.status_code for answer in answers} <= {200, 401, 429, 503}
    assert len([answer for answer in judged if answer.status_code == 401]) <= 10
    service = lab.auth.service
    guard = await service.store.guards.get(await service.directory.name(form["email"]))
    assert guard.failures <= 5


async def test_an_address_is_closed_after_a_hundred_failures(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.verified()
    service = lab.auth.service
    name = await service.directory.name(form["email"])
    for _ in range(5):
        await service.sign_in._guessing.wrong(name, Target("nobody", "nowhere"))
    failures = 5
    while failures < 100:
        travel(timedelta(hours=1, seconds=1))
        await service.sign_in._guessing.wrong(name, Target("nobody", "nowhere"))
        failures += 1
    travel(timedelta(days=40))
    assert (await lab.login(form)).status_code == 429
    assert Ladder.of(lab.auth.settings).ceiling == 100


async def test_a_second_replica_shares_keys_sessions_and_guards(lab: Any) -> None:
    async with lab.another() as other:
        signed_in = await lab.signed_in()
        assert (await other.get("/api/auth/me", signed_in["access_token"])).status_code == 200
        both = await asyncio.gather(
            refresh(lab, signed_in["refresh_token"]), other.post("refresh", refresh_token=signed_in["refresh_token"])
        )
        assert len({answer.json()["refresh_token"] for answer in both}) == 1
        jwks = [(await replica.http.get("/.well-known/jwks.json")).json() for replica in (lab.auth, other)]
        assert jwks[0] == jwks[1]
        headers = {"authorization": f"Bearer {both[0].json()['access_token']}"}
        assert (await other.http.post("/api/auth/logout", headers=headers)).status_code == 204
        async with asyncio.timeout(30):
            while (await lab.auth.get("/api/auth/me", signed_in["access_token"])).status_code != 401:
                await asyncio.sleep(0.05)


async def test_an_old_hash_is_renewed_at_sign_in(lab: Any) -> None:
    form = await lab.verified()
    service = lab.auth.service
    user_id = (await lab.login(form)).json()["user"]["user_id"]
    user = await service.directory.member(user_id)
    assert not await service.hasher.is_outdated(user.password)
    cheap = user.password.model_copy(update={"encoded": await _cheaply_hashed(service, form["password"])})
    await service.store.users.update(user_id, change=lambda user, _: user.model_copy(update={"password": cheap}))
    assert await service.hasher.is_outdated(cheap)
    assert (await lab.login(form)).status_code == 200
    user = await service.directory.member(user_id)
    assert user.password.encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def _cheaply_hashed(service: Any, password: str) -> str:
    from argon2 import PasswordHasher

    from omnify_auth.hashing import _keyed

    peppers = await service.hasher._vault.peppers()
    return PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(_keyed(password, peppers[1]))


async def test_an_old_pepper_still_opens_and_is_replaced(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    form = await lab.verified()
    vault = lab.auth.service.hasher._vault
    old = await vault.peppers()

    async def rotated() -> dict[int, bytes]:
        return {**old, 2: b"n" * 32}

    monkeypatch.setattr(vault, "peppers", rotated)
    user_id = (await lab.login(form)).json()["user"]["user_id"]
    assert (await lab.auth.service.directory.member(user_id)).password.pepper == 2
    assert (await lab.login(form)).status_code == 200


async def test_nothing_secret_is_stored_or_logged(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    form = await lab.registered()
    token = await lab.mailed_token(form["email"])
    await lab.auth.post("verify-email", token=token)
    signed_in = (await lab.login(form)).json()
    state = lab.auth.app.state.platform.state
    user_id, session_id = signed_in["user"]["user_id"], signed_in["session_id"]
    keys = [f"user/{user_id}", f"session/{session_id}", "keyring/main", "root/main"]
    stored = b"".join(entry.data for entry in (await state.get_many(keys)).values())
    secret = signed_in["refresh_token"].removeprefix("omr1_")[22:60]
    for text in (form["password"], token.split(".")[1], secret, signed_in["access_token"]):
        assert text.encode() not in stored
        assert text not in caplog.text
    assert form["email"] not in caplog.text
