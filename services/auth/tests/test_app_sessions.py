"""Codes, tokens, grants and the way out of apps that people signed in to, on real sidecars."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import httpx2 as httpx
import jwt
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from omnify_auth.app_grants import SESSIONS
from omnify_auth.codes import digest
from omnify_auth.routes.discovery import metadata
from support.browser import ISSUER, query_of
from support.relying import AFTER, BACK, App, claims

Travel = Callable[[timedelta], None]


async def worth(replica: Any, tokens: dict[str, Any]) -> int:
    return int((await replica.get("/oauth/userinfo", tokens["access_token"])).status_code)


async def ends(replica: Any, tokens: dict[str, Any]) -> None:
    deadline = time.monotonic() + 30
    while await worth(replica, tokens) == 200:
        assert time.monotonic() < deadline, "still accepted"
        await asyncio.sleep(0.1)
    assert await worth(replica, tokens) == 401


def error(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"])


async def test_a_code_is_for_its_client_its_address_and_its_verifier(lab: Any) -> None:
    app = await App.new(lab)
    other = await App.of(lab, app.owner, app.form, name="Other")
    code = await app.code()
    for wrong in (
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"code_verifier": "short"},
        {"redirect_uri": ""},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": "https://evil.example/"},
    ):
        assert error(await app.exchange(code, **wrong)) == "invalid_grant", wrong
    for other_code in (code + "x", code[:-1]):
        assert error(await app.exchange(other_code)) == "invalid_grant"
    other.verifier = app.verifier
    assert error(await other.exchange(code)) == "invalid_grant", "another client's"
    assert error(await app.exchange("")) == "invalid_request"
    made = await app.exchange(code)
    assert made.status_code == 200, "none of them used it up"
    shown = app.client | {"client_secret": other.client["client_secret"]}
    forged = App(lab, app.owner, app.form, shown, app.verifier)
    assert (await forged.exchange(await app.code())).json()["error"] == "invalid_client"


async def test_a_code_lives_for_a_minute(lab: Any, travel: Travel) -> None:
    app = await App.new(lab)
    code = await app.code()
    travel(timedelta(seconds=60))
    assert error(await app.exchange(code)) == "invalid_grant"


async def test_of_32_uses_of_one_code_one_wins_at_most_and_all_ends(lab: Any) -> None:
    app = await App.new(lab)
    code = await app.code()
    answers = await asyncio.gather(*(app.exchange(code) for _ in range(32)))
    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) <= 1
    assert all(error(answer) == "invalid_grant" for answer in answers if answer.status_code != 200)
    for tokens in won:
        await ends(lab.auth, tokens)
    stored = [one async for one in _sessions_of(lab, app)]
    assert all(one.ended_at for one in stored)
    assert len(stored) <= 1


async def _sessions_of(lab: Any, app: App) -> Any:
    grant = await lab.auth.service.store.app_grants.get(app.owner["user"]["user_id"], app.id)
    for session_id in grant.session_ids:
        if session := await lab.auth.service.store.sessions.get(session_id):
            yield session


async def test_of_32_uses_of_one_code_one_is_taken_for_the_first(lab: Any) -> None:
    app = await App.new(lab)
    for _ in range(5):
        code = await app.code()
        form = {"code": code, "redirect_uri": BACK, "code_verifier": app.verifier}
        client = await lab.auth.service.clients.living(app.id)
        uses = (lab.auth.service.app_sessions._used(digest(code), client, form) for _ in range(32))
        results = await asyncio.gather(*uses, return_exceptions=True)
        assert sum(not isinstance(one, Exception) for one in results) == 1


async def test_a_replayed_code_ends_what_it_gave(lab: Any) -> None:
    app = await App.new(lab)
    code = await app.code(scope="openid offline_access")
    first = (await app.exchange(code)).json()
    assert await worth(lab.auth, first) == 200
    assert error(await app.exchange(code)) == "invalid_grant"
    await ends(lab.auth, first)
    assert error(await app.refresh(first)) == "invalid_grant"


async def test_refresh_tokens_rotate_and_a_spent_one_ends_the_family(lab: Any, travel: Travel) -> None:
    app = await App.new(lab)
    other = await App.of(lab, app.owner, app.form, name="Other")
    first = await app.tokens(scope="openid profile offline_access campaign:view")
    assert error(await other.refresh(first)) == "invalid_grant", "another client's token, and nothing happened to it"
    second = (await app.refresh(first)).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert claims(second["id_token"])["sub"] == claims(first["id_token"])["sub"]
    assert claims(second["id_token"])["auth_time"] == claims(first["id_token"])["auth_time"]
    again = (await app.refresh(first)).json()
    assert again["refresh_token"] == second["refresh_token"], "repeated within the grace"
    narrow = (await app.refresh(second, scope="profile")).json()
    assert narrow["scope"] == claims(narrow["access_token"])["scope"] == "profile"
    assert "id_token" not in narrow
    assert error(await app.refresh(narrow, scope="openid org:admin")) == "invalid_scope"
    travel(timedelta(seconds=11))
    assert error(await app.refresh(first)) == "invalid_grant"
    assert error(await app.refresh(narrow)) == "invalid_grant", "the family has ended"
    await ends(lab.auth, narrow)


async def test_nobody_uses_another_ones_refresh_token(lab: Any) -> None:
    app = await App.new(lab)
    tokens = await app.tokens()
    answer = await lab.auth.post("refresh", refresh_token=tokens["refresh_token"])
    assert answer.status_code == 401, "an app's token is no way around its secret"
    assert error(await app.refresh(app.owner)) == "invalid_grant", "nor a person's for an app"
    assert (await app.refresh(tokens)).status_code == 200
    assert (await lab.auth.post("refresh", refresh_token=app.owner["refresh_token"])).status_code == 200


async def test_a_client_uses_the_grants_it_was_given(lab: Any) -> None:
    app = await App.new(lab, grant_types=["authorization_code"])
    tokens = await app.tokens(scope="openid offline_access")
    assert "refresh_token" not in tokens
    assert (await app.token(grant_type="refresh_token", refresh_token="x")).json()["error"] == "unauthorized_client"
    worker = await App.of(lab, app.owner, app.form, grant_types=["client_credentials"], scopes=["org:admin"])
    answer = query_of(await worker.ask(worker.browser(), scope="org:admin"))
    assert answer["error"] == "unauthorized_client"
    assert (await worker.exchange("x")).json()["error"] == "unauthorized_client"


async def test_a_public_client_proves_itself_by_the_verifier(lab: Any, travel: Travel) -> None:
    app = await App.new(lab, public=True)
    tokens = await app.tokens(scope="openid offline_access")
    assert error(await app.exchange(await app.code(), code_verifier="y" * 43)) == "invalid_grant"
    second = (await app.refresh(tokens)).json()
    travel(timedelta(seconds=11))
    assert error(await app.refresh(tokens)) == "invalid_grant"
    assert error(await app.refresh(second)) == "invalid_grant"


async def test_a_token_reaches_as_far_as_its_scopes_and_its_user(lab: Any) -> None:
    app = await App.new(lab)
    profile, admin = await app.tokens(), await app.tokens(scope="org:admin")
    assert "id_token" not in admin
    audit = "/api/audit"
    assert (await lab.auth.get(audit, admin["access_token"])).status_code == 200
    assert (await lab.auth.get(audit, profile["access_token"])).status_code == 403
    refused = await lab.auth.get("/oauth/userinfo", admin["access_token"])
    assert (refused.status_code, "insufficient_scope" in refused.headers["www-authenticate"]) == (403, True)
    for path in ("/api/auth/me", "/api/sessions", "/api/oauth/grants", "/api/oauth/clients"):
        assert (await lab.auth.get(path, admin["access_token"])).status_code == 403, path
    assert (await lab.auth.get("/oauth/userinfo", profile["id_token"])).status_code == 401, "an ID token is no access"
    assert (await lab.auth.get("/oauth/userinfo", app.owner["access_token"])).status_code == 403


async def test_the_id_token_is_signed_by_a_published_key(lab: Any) -> None:
    app = await App.new(lab)
    tokens = await app.tokens()
    keys = {key["kid"]: key for key in (await lab.auth.http.get("/.well-known/jwks.json")).json()["keys"]}
    header = jwt.get_unverified_header(tokens["id_token"])
    assert (header["alg"], header["typ"]) == ("ES256", "JWT")
    known = jwt.decode(
        tokens["id_token"], jwt.PyJWK(keys[header["kid"]]), algorithms=["ES256"], audience=app.id, issuer=ISSUER
    )
    left_half = sha256(tokens["access_token"].encode()).digest()[:16]
    assert known["at_hash"] == urlsafe_b64encode(left_half).rstrip(b"=").decode()


async def test_what_an_app_may_less_holds_at_once(lab: Any) -> None:
    app = await App.new(lab)
    tokens = await app.tokens(scope="openid profile offline_access campaign:view")
    headers = {"authorization": f"Bearer {app.owner['access_token']}"}
    path = f"/api/oauth/clients/{app.id}"
    less = {"scopes": ["openid", "profile"]}
    assert (await lab.auth.http.patch(path, json=less, headers=headers)).status_code == 200
    await ends(lab.auth, tokens)
    tokens = (await app.refresh(tokens)).json()
    assert tokens["scope"] == "openid profile"
    assert await worth(lab.auth, tokens) == 200
    assert (await lab.auth.http.delete(path, headers=headers)).status_code == 204
    await ends(lab.auth, tokens)
    assert (await app.refresh(tokens)).json()["error"] == "invalid_client"


async def test_an_apps_session_ends_with_the_sign_in_unless_it_stands_for_itself(lab: Any, travel: Travel) -> None:
    app = await App.new(lab)
    browser = app.browser()
    bound = await app.tokens(browser)
    free = await app.tokens(browser, scope="openid offline_access")
    assert "parent_sid" in claims(bound["access_token"])
    assert "parent_sid" not in claims(free["access_token"])
    await browser.open("/oauth/logout")
    assert browser.page == "sign_out"
    await browser.decide("sign_out")
    await ends(lab.auth, bound)
    assert error(await app.refresh(bound)) == "invalid_grant"
    free = (await app.refresh(free)).json()
    assert await worth(lab.auth, free) == 200
    for _ in range(3):
        travel(timedelta(days=9))
        free = (await app.refresh(free)).json()
    travel(timedelta(days=4))
    assert error(await app.refresh(free)) == "invalid_grant", "30 days after it began"


async def test_what_ends_all_sessions_ends_those_of_apps(lab: Any) -> None:
    app = await App.new(lab)
    free = await app.tokens(scope="openid offline_access")
    headers = {"authorization": f"Bearer {app.owner['access_token']}"}
    assert (await lab.auth.http.post("/api/sessions/revoke-all", headers=headers)).status_code == 200
    await ends(lab.auth, free)
    assert error(await app.refresh(free)) == "invalid_grant"


async def test_a_member_who_leaves_takes_no_app_along(lab: Any, new_person: Any) -> None:
    boss = await new_person()
    guest = await boss.colleague()
    app = await App.of(lab, boss.tokens, boss.form)
    app.form = guest.form
    tokens = await app.tokens(scope="openid offline_access campaign:view org:admin")
    assert claims(tokens["access_token"])["org"] == boss.organization_id
    assert (await lab.auth.get("/api/audit", tokens["access_token"])).status_code == 403, "the scope adds nothing"
    assert (await boss.here("DELETE", f"/members/{guest.id}")).status_code == 204
    await ends(lab.auth, tokens)
    assert error(await app.refresh(tokens)) == "invalid_grant"


async def test_a_user_lists_and_withdraws_what_they_allowed(lab: Any) -> None:
    app = await App.new(lab)
    headers = {"authorization": f"Bearer {app.owner['access_token']}"}

    async def grants() -> list[dict[str, Any]]:
        return list((await lab.auth.http.get("/api/oauth/grants", headers=headers)).json()["grants"])

    assert await grants() == []
    browser = app.browser()
    tokens = await app.tokens(browser)
    free = await app.tokens(browser, scope="openid offline_access")
    [shown] = await grants()
    assert (shown["client_id"], shown["name"]) == (app.id, "Planner <b>")
    assert set(shown["scopes"]) == {"openid", "profile", "email", "offline_access"}
    path = f"/api/oauth/grants/{app.id}"
    stranger = {"authorization": f"Bearer {(await App.new(lab)).owner['access_token']}"}
    assert (await lab.auth.http.delete(path, headers=stranger)).status_code == 404
    waiting = await app.code(browser)
    assert (await lab.auth.http.delete(path, headers=headers)).status_code == 204
    assert (await lab.auth.http.delete(path, headers=headers)).status_code == 404
    assert await grants() == []
    for one in (tokens, free):
        await ends(lab.auth, one)
    for one in (tokens, free):
        assert error(await app.refresh(one)) == "invalid_grant"
    assert error(await app.exchange(waiting)) == "invalid_grant", "a code from before"
    await app.ask(browser)
    assert browser.page == "consent", "asked anew"
    anew = await app.exchange(query_of(await browser.decide("allow"))["code"])
    assert anew.status_code == 200
    assert error(await app.refresh(free)) == "invalid_grant", "what has ended does not come back"
    for what in ("given", "withdrawn"):
        kind = f"omnify.auth.oauth_grant.{what}.v1"
        event = await lab.probe.first(lambda event, kind=kind: _about(event, app.id, kind))
        assert event["data"]["user_id"] == app.owner["user"]["user_id"]


async def _about(event: dict[str, Any], subject: str, kind: str) -> dict[str, Any] | None:
    return event if event["subject"] == subject and event["type"] == kind else None


async def test_an_app_has_so_many_sessions_of_a_user_and_the_oldest_ends(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    first = await app.tokens(browser)
    for _ in range(SESSIONS):
        last = await app.tokens(browser)
    await ends(lab.auth, first)
    assert await worth(lab.auth, last) == 200


async def test_an_app_ends_and_looks_at_its_users_tokens(lab: Any) -> None:
    app = await App.new(lab)
    other = await App.of(lab, app.owner, app.form, name="Other")

    async def post(path: str, who: App, text: str) -> dict[str, Any]:
        auth = (who.id, who.client["client_secret"])
        answer = await lab.auth.http.post(f"/oauth/{path}", data={"token": text}, auth=auth)
        assert answer.status_code == 200
        return dict(answer.json())

    for kind in ("access_token", "refresh_token"):
        tokens = await app.tokens()
        shown = await post("introspect", app, tokens[kind])
        assert shown["active"]
        assert shown["sub"] == app.owner["user"]["user_id"]
        assert set(shown["scope"].split()) == {"openid", "profile", "email"}
        assert await post("introspect", other, tokens[kind]) == {"active": False}
        await post("revoke", other, tokens[kind])
        assert await worth(lab.auth, tokens) == 200
        await post("revoke", app, tokens[kind])
        await ends(lab.auth, tokens)
        assert error(await app.refresh(tokens)) == "invalid_grant"
        assert await post("introspect", app, tokens[kind]) == {"active": False}


async def test_signing_out_is_asked_and_leads_back(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    tokens = await app.tokens(browser)
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER, "state": "s"}
    for wrong in (
        {"post_logout_redirect_uri": AFTER + "?x"},
        {"post_logout_redirect_uri": BACK},
        {"id_token_hint": ""},
        {"id_token_hint": "x.y.z"},
        {"client_id": "0199aaaa-0000-7000-8000-000000000000"},
    ):
        answer = await browser.open("/oauth/logout", {**asked, **wrong})
        assert (answer.status_code, browser.page) == (400, "message"), wrong
    await browser.open("/oauth/logout", asked)
    assert browser.page == "sign_out"
    assert "Planner &lt;b&gt;" in browser.at.text
    await browser.decide("stay")
    assert await worth(lab.auth, tokens) == 200, "nobody is signed out by a link alone"
    sent = await lab.auth.http.post("/oauth/logout", data=asked)
    await browser.open(sent.headers["location"])
    assert (await browser.send("/oauth/logout", origin="https://evil.example", decision="sign_out")).status_code == 403
    await browser.open("/oauth/logout", asked)
    answer = await browser.decide("sign_out")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{AFTER}?state=s")
    assert browser.cookie is None
    await ends(lab.auth, tokens)
    answer = await app.browser().open("/oauth/logout", asked)
    assert answer.headers["location"] == f"{AFTER}?state=s", "nobody to ask"


async def test_discovery_says_what_there_is(lab: Any) -> None:
    for name in ("openid-configuration", "oauth-authorization-server"):
        answer = await lab.auth.http.get(f"/.well-known/{name}")
        assert answer.json() == metadata(ISSUER)
        assert answer.headers["cache-control"] == "public, max-age=300"
    secure = metadata("https://omnify.example")
    AuthorizationServerMetadata(secure).validate()
    assert secure["code_challenge_methods_supported"] == ["S256"]
    assert secure["response_types_supported"] == ["code"]


@pytest.mark.parametrize("name", ["userinfo", "authorize", "logout"])
async def test_the_other_methods_are_not_there(lab: Any, name: str) -> None:
    assert (await lab.auth.http.request("DELETE", f"/oauth/{name}")).status_code == 405
