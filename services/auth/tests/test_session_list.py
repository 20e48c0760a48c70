"""Where a user is signed in, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest

from omnify_auth.devices import Client, described

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
CALLER = {"dapr-caller-app-id": "email"}


async def signed_in(
    lab: Any, form: dict[str, str], agent: str = FIREFOX, address: str = "203.0.113.7"
) -> dict[str, Any]:
    body = {"email": form["email"], "password": form["password"]}
    headers = {"user-agent": agent, "x-forwarded-for": address}
    answer = await lab.auth.http.post("/api/auth/login", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def ask(lab: Any, tokens: dict[str, Any], method: str, path: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    answer = await lab.auth.http.request(method, f"/api/sessions{path}", headers=headers)
    assert isinstance(answer, httpx.Response)
    return answer


async def listed(lab: Any, tokens: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await ask(lab, tokens, "GET")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["count"] == len(answer.json()["sessions"])
    return list(answer.json()["sessions"])


async def works(lab: Any, tokens: dict[str, Any]) -> tuple[int, int]:
    """How the access and the refresh token of a session are answered."""
    me = await lab.auth.get("/api/auth/me", tokens["access_token"])
    return me.status_code, (await lab.auth.post("refresh", refresh_token=tokens["refresh_token"])).status_code


async def letters(lab: Any, email: str, kind: str) -> list[dict[str, Any]]:
    """The letters of a kind to an address that were asked for so far."""
    asked = [event["data"] for event in lab.probe.events if event["data"].get("kind") == kind]
    bodies = [
        (await lab.auth.http.post(f"/internal/letters/{data['letter_id']}", headers=CALLER)).json() for data in asked
    ]
    return [body for body in bodies if body["email"] == email]


async def one_letter(lab: Any, email: str, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while not (found := await letters(lab, email, kind)):
            await asyncio.sleep(0.05)
    assert len(found) == 1
    return found[0]


async def test_the_list_tells_device_place_and_which_is_this(lab: Any) -> None:
    form = await lab.verified()
    old = await signed_in(lab, form)
    new = await signed_in(lab, form, CHROME, "2001:db8:1:2::3")
    first, second = await listed(lab, new)
    assert (first["session_id"], first["is_current"]) == (new["session_id"], True)
    assert (second["session_id"], second["is_current"]) == (old["session_id"], False)
    assert (first["device_info"], first["network"]) == ("Chrome on Windows", "2001:db8:1::/48")
    assert (second["device_info"], second["network"]) == ("Firefox on Linux", "203.0.113.0/24")
    assert first["device_id"] != second["device_id"]
    assert first["created_at"] == first["last_activity"] < first["idle_expires_at"] < first["expires_at"]
    assert "203.0.113.7" not in str(await listed(lab, old))


async def test_a_refresh_is_an_activity(lab: Any) -> None:
    tokens = await signed_in(lab, await lab.verified())
    assert (await lab.auth.post("refresh", refresh_token=tokens["refresh_token"])).status_code == 200
    [session] = await listed(lab, tokens)
    assert session["created_at"] < session["last_activity"]


async def test_one_session_is_ended_and_only_by_its_owner(lab: Any) -> None:
    form = await lab.verified()
    mine, other = await signed_in(lab, form), await signed_in(lab, form)
    stranger = await lab.signed_in()
    path = f"/{other['session_id']}"
    assert (await ask(lab, stranger, "DELETE", path)).status_code == 404
    assert await works(lab, other) == (200, 200)
    answer = await ask(lab, mine, "DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await works(lab, other) == (401, 401)
    assert [one["session_id"] for one in await listed(lab, mine)] == [mine["session_id"]]
    assert (await ask(lab, mine, "DELETE", path)).status_code == 404, "it is no longer there"


async def test_all_others_are_ended_and_this_one_goes_on(lab: Any) -> None:
    form = await lab.verified()
    others = [await signed_in(lab, form) for _ in range(3)]
    mine = await signed_in(lab, form)
    answer = await ask(lab, mine, "POST", "/revoke-others")
    assert (answer.status_code, answer.json()) == (200, {"count": 3})
    assert [await works(lab, other) for other in others] == [(401, 401)] * 3
    assert [one["session_id"] for one in await listed(lab, mine)] == [mine["session_id"]]
    assert await works(lab, mine) == (200, 200)


async def test_all_are_ended(lab: Any) -> None:
    form = await lab.verified()
    both = [await signed_in(lab, form) for _ in range(2)]
    assert (await ask(lab, both[0], "POST", "/revoke-all")).json() == {"count": 2}
    assert [await works(lab, one) for one in both] == [(401, 401)] * 2
    again = await signed_in(lab, form)
    assert len(await listed(lab, again)) == 1


async def test_a_device_is_ended_whatever_its_version(lab: Any) -> None:
    form = await lab.verified()
    gone = [await signed_in(lab, form, FIREFOX.replace("150.0", version)) for version in ("150.0", "151.0.1")]
    mine = await signed_in(lab, form, CHROME)
    device = (await listed(lab, mine))[-1]["device_id"]
    assert (await ask(lab, mine, "DELETE", f"/device/{device}")).json() == {"count": 2}
    assert [await works(lab, one) for one in gone] == [(401, 401)] * 2
    assert await works(lab, mine) == (200, 200)
    assert (await ask(lab, mine, "DELETE", "/device/nobodys")).json() == {"count": 0}


async def test_the_oldest_ends_for_the_eleventh(lab: Any) -> None:
    form = await lab.verified()
    sessions = [await signed_in(lab, form) for _ in range(10)]
    assert (await ask(lab, sessions[1], "DELETE", f"/{sessions[1]['session_id']}")).status_code == 204
    newest = await signed_in(lab, form)
    assert await works(lab, sessions[0]) == (200, 200), "an ended one makes room"
    for _ in range(2):
        newest = await signed_in(lab, form)
    assert [await works(lab, sessions[number]) for number in (0, 2)] == [(401, 401)] * 2
    assert await works(lab, sessions[3]) == (200, 200)
    assert len(await listed(lab, newest)) == 10


async def test_no_session_of_many_sign_ins_at_once_is_left_out(lab: Any) -> None:
    form = await lab.verified()
    made = await asyncio.gather(*(signed_in(lab, form) for _ in range(10)))
    assert {one["session_id"] for one in await listed(lab, made[0])} == {one["session_id"] for one in made}


async def test_ended_sessions_leave_the_list(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.verified()
    await signed_in(lab, form)
    left = await signed_in(lab, form)
    headers = {"authorization": f"Bearer {left['access_token']}"}
    assert (await lab.auth.http.post("/api/auth/logout", headers=headers)).status_code == 204
    mine = await signed_in(lab, form)
    assert len(await listed(lab, mine)) == 2
    travel(timedelta(minutes=61))
    mine = await signed_in(lab, form)
    live = await lab.auth.service.session_list.live(mine["user"]["user_id"])
    assert [one.session.session_id for one in live] == [mine["session_id"]]


async def test_a_new_device_is_told_by_mail_but_not_the_first_one(lab: Any) -> None:
    form = await lab.verified()
    for agent in (FIREFOX, FIREFOX.replace("150", "151"), CHROME, CHROME):
        await signed_in(lab, form, agent)
    letter = await one_letter(lab, form["email"], "new_device")
    assert letter["token"] is None
    values = letter["values"]
    assert (values["device"], values["network"]) == ("Chrome on Windows", "203.0.113.0/24")
    assert values["at"].endswith(" UTC")


async def test_reuse_is_told_by_mail_once(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.verified()
    spent = (await signed_in(lab, form))["refresh_token"]
    assert (await lab.auth.post("refresh", refresh_token=spent)).status_code == 200
    travel(timedelta(seconds=11))
    answers = await asyncio.gather(*(lab.auth.post("refresh", refresh_token=spent) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {401}
    await one_letter(lab, form["email"], "session_reused")
    await asyncio.sleep(1)
    await one_letter(lab, form["email"], "session_reused")


async def set_policy(lab: Any, tokens: dict[str, Any], idle: int, overall: int) -> httpx.Response:
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    body = {"idle_minutes": idle, "overall_minutes": overall}
    answer = await lab.auth.http.put("/api/sessions/policy", json=body, headers=headers)
    assert isinstance(answer, httpx.Response)
    return answer


async def test_an_organisation_shortens_its_sessions(lab: Any, travel: Callable[[timedelta], None]) -> None:
    form = await lab.verified()
    owner = await signed_in(lab, form)
    assert (await ask(lab, owner, "GET", "/policy")).json() == {"idle_minutes": 60, "overall_minutes": 1440}
    answer = await set_policy(lab, owner, 10, 25)
    assert (answer.status_code, answer.json()) == (200, {"idle_minutes": 10, "overall_minutes": 25})
    idle, busy = await signed_in(lab, form), await signed_in(lab, form)
    for _ in range(2):
        travel(timedelta(minutes=9))
        answer = await lab.auth.post("refresh", refresh_token=busy["refresh_token"])
        assert answer.status_code == 200
        busy = answer.json()
    assert (await lab.auth.post("refresh", refresh_token=idle["refresh_token"])).status_code == 401
    travel(timedelta(minutes=8))
    assert (await lab.auth.post("refresh", refresh_token=busy["refresh_token"])).status_code == 401
    assert (await lab.auth.post("refresh", refresh_token=owner["refresh_token"])).status_code == 200, "it began before"


@pytest.mark.parametrize(("idle", "overall"), [(61, 1440), (60, 1441), (4, 60), (30, 20), (60, 10**9)])
async def test_no_policy_makes_sessions_longer(lab: Any, idle: int, overall: int) -> None:
    owner = await signed_in(lab, await lab.verified())
    answer = await set_policy(lab, owner, idle, overall)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await ask(lab, owner, "GET", "/policy")).json() == {"idle_minutes": 60, "overall_minutes": 1440}


async def test_wrong_passwords_before_the_right_one_are_told_by_mail(
    lab: Any, travel: Callable[[timedelta], None]
) -> None:
    few, many = await lab.verified(), await lab.verified()
    for form, count in ((few, 4), (many, 5)):
        for _ in range(count):
            assert (await lab.login(form, "not this one, sorry")).status_code == 401
        travel(timedelta(seconds=31))
        assert (await lab.login(form)).status_code == 200
    assert (await one_letter(lab, many["email"], "many_failures"))["values"] == {"failures": "5"}
    assert await letters(lab, few["email"], "many_failures") == []


async def test_the_list_is_for_who_is_signed_in(lab: Any) -> None:
    for method, path in (("GET", ""), ("POST", "/revoke-all"), ("POST", "/revoke-others"), ("DELETE", "/device/x")):
        assert (await lab.auth.http.request(method, f"/api/sessions{path}")).status_code == 401


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        ("curl/8.4.0", "curl"),
        ("", None),
        (None, None),
        ("see https://evil.example.com/now", None),
    ],
)
def test_a_user_agent_in_words_is_safe_to_mail(agent: str | None, words: str | None) -> None:
    assert described(agent) == words


def test_an_address_is_kept_as_its_network() -> None:
    assert Client("203.0.113.7", None).network == "203.0.113.0/24"
    assert Client("2001:db8:1:2::3", None).network == "2001:db8:1::/48"
    assert Client(None, None).network is None


def test_a_device_is_of_one_user() -> None:
    client = Client(None, FIREFOX)
    assert client.device_id("a") == client.device_id("a") != client.device_id("b")


async def test_tokens_from_between_two_changes_of_one_second_are_refused(lab: Any) -> None:
    form = await lab.verified()
    user_id = (await signed_in(lab, form))["user"]["user_id"]
    for _ in range(3):
        between = await signed_in(lab, form)
        await lab.auth.service.session_list.end_all(user_id)
        assert await works(lab, between) == (401, 401)
    assert await works(lab, await signed_in(lab, form)) == (200, 200)
