"""Signing in to apps with Omnify: the authorization endpoint and its pages, on real sidecars."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest

from omnify_auth.clients import SCOPES
from omnify_auth.codes import proves
from omnify_auth.scope_words import in_words
from omnify_shared import clock
from support.authenticator import Authenticator
from support.browser import ISSUER, query_of
from support.relying import BACK, App, claims

Travel = Callable[[timedelta], None]


@pytest.fixture(scope="module")
async def shared(lab: Any) -> App:
    """An app for tests that leave nothing behind."""
    return await App.new(lab)


def test_the_vector_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert proves(verifier, challenge)
    assert not proves(verifier[:-1] + "l", challenge)
    assert not proves("short", challenge)
    assert not proves(challenge, challenge), "plain is not S256"


def test_every_scope_has_words() -> None:
    assert len({in_words(scope) for scope in SCOPES}) == len(SCOPES)


async def test_a_person_signs_in_allows_and_is_known_to_the_app(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    await app.ask(browser, scope="openid profile campaign:view", login_hint=app.form["email"])
    assert (browser.page, browser.at.status_code) == ("sign_in", 200)
    assert f'value="{app.form["email"]}"' in browser.at.text
    await browser.sign_in(app.form["email"], app.form["password"])
    assert browser.page == "consent"
    text = browser.at.text
    assert "Planner &lt;b&gt;" in text
    assert "<b>" not in text, "what the app calls itself is text"
    for words in ("Know who you are when you sign in", "See your name", "See campaigns", app.form["organization_name"]):
        assert words in text, words
    answer = query_of(await browser.decide("allow"))
    assert (answer["state"], answer["iss"]) == (app.state, ISSUER)
    assert set(answer) == {"code", "state", "iss"}
    made = await app.exchange(answer["code"])
    assert made.status_code == 200, made.text
    assert made.headers["cache-control"] == "no-store"
    tokens = made.json()
    assert tokens["scope"] == "openid profile campaign:view"
    access, identity = claims(tokens["access_token"]), claims(tokens["id_token"])
    assert identity["iss"] == ISSUER
    assert identity["aud"] == app.id
    assert identity["sub"] == access["sub"] == app.owner["user"]["user_id"]
    assert identity["nonce"] == "n-1"
    assert identity["amr"] == ["pwd"]
    assert identity["sid"] == access["parent_sid"]
    assert abs(identity["auth_time"] - clock.now().timestamp()) < 60
    assert (access["client_id"], access["scope"]) == (app.id, tokens["scope"])
    assert access["org"] == app.owner["user"]["organization_id"]
    known = await lab.auth.get("/oauth/userinfo", tokens["access_token"])
    assert known.json() == {"sub": identity["sub"], "name": app.form["full_name"]}


async def test_pages_let_nothing_in_and_are_not_kept(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    answer = await app.ask(browser)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "form-action 'self' https://app.example.com;" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert 'type="password" autocomplete="current-password"' in answer.text
    assert 'autocomplete="username"' in answer.text
    assert "onpaste" not in answer.text
    script = await browser.open("/oauth/authorize/passkey.js")
    assert script.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "0199aaaa-0000-7000-8000-000000000000"},
        {"client_id": "nobody"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example/back"},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": BACK + "?x=1"},
        {"redirect_uri": "https://app.example.com.evil.example/back"},
    ],
    ids=str,
)
async def test_what_is_not_proven_is_shown_and_never_sent(shared: App, wrong: dict[str, str]) -> None:
    app = shared
    browser = app.browser()
    answer = await app.ask(browser, **wrong)
    assert (answer.status_code, browser.page) == (400, "message")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "openid user:delete"}, "invalid_scope"),
        ({"scope": "openid everything"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "select_account"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://app.example.com/r"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_proven_request_is_told_the_app(
    shared: App, wrong: dict[str, str], error: str
) -> None:
    app = shared
    answer = query_of(await app.ask(app.browser(), **wrong))
    assert (answer["error"], answer["state"], answer["iss"]) == (error, app.state, ISSUER)


async def test_a_parameter_that_comes_twice_is_refused(shared: App) -> None:
    app = shared
    query = urlencode([*app.request().items(), ("redirect_uri", "https://evil.example/")])
    answer = await app.browser().open(f"/oauth/authorize?{query}")
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_a_request_may_come_as_a_form(lab: Any, shared: App) -> None:
    app = shared
    browser = app.browser()
    answer = await lab.auth.http.post("/oauth/authorize", data=app.request())
    assert answer.status_code == 303
    await browser.open(answer.headers["location"])
    assert browser.page == "sign_in"


async def test_forms_of_others_are_refused(lab: Any) -> None:
    app = await App.new(lab)
    browser, stranger = app.browser(), app.browser()
    await app.ask(browser)
    await app.ask(stranger)
    typed = {"email": app.form["email"], "password": app.form["password"]}
    sign_in = "/oauth/authorize/sign-in"
    evil = {**app.request(), "redirect_uri": BACK}
    for forged in (
        {"form_token": "0" * 64},
        {"form_token": ""},
        {"form_token": stranger.forms[sign_in]["form_token"]},
        {"request": urlencode(evil)},
        {"began": "1.0"},
        {"began": "x"},
    ):
        await app.ask(browser)
        answer = await browser.send(sign_in, **typed, **forged)
        assert (answer.status_code, browser.page) == (403, "message"), forged
    for origin in ("https://evil.example", "null", "http://localhost:8001"):
        await app.ask(browser)
        assert (await browser.send(sign_in, origin=origin, **typed)).status_code == 403, origin
    await app.ask(browser)
    kept, browser.cookie = browser.cookie, None
    assert (await browser.send(sign_in, **typed)).status_code == 403, "without the cookie"
    browser.cookie = kept
    await app.ask(browser)
    await browser.send(sign_in, **typed)
    assert browser.page == "consent"
    assert browser.cookie != kept, "a sign-in brings a new cookie"


async def test_a_page_is_too_old_after_half_an_hour(lab: Any, travel: Travel) -> None:
    app = await App.new(lab)
    browser = app.browser()
    await app.ask(browser)
    travel(timedelta(minutes=31))
    assert (await browser.sign_in(app.form["email"], app.form["password"])).status_code == 403


async def test_a_wrong_password_is_counted_and_looks_like_an_unknown_address(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    await app.ask(browser)
    texts = []
    for email in ("nobody@nowhere.example.com", app.form["email"]):
        answer = await browser.sign_in(email, "not the password at all")
        assert (answer.status_code, browser.page) == (401, "sign_in")
        texts.append(answer.text.replace(email, "…"))
    assert texts[0] == texts[1]
    for _ in range(4):
        await browser.sign_in(app.form["email"], "not the password at all")
    answer = await browser.sign_in(app.form["email"], app.form["password"])
    assert (answer.status_code, browser.page) == (429, "sign_in")
    assert int(answer.headers["retry-after"]) > 0
    assert (await lab.login(app.form)).status_code == 429, "the same count as the API's"


async def enrolled(lab: Any, app: App) -> tuple[str, list[str]]:
    headers = {"authorization": f"Bearer {app.owner['access_token']}"}
    secret = (await lab.auth.http.post("/api/mfa/totp/setup", headers=headers)).json()["secret"]
    code = pyotp.TOTP(secret).at(int(clock.now().timestamp()))
    shown = await lab.auth.http.post("/api/mfa/totp/verify", json={"code": code}, headers=headers)
    return secret, shown.json()["recovery_codes"]


async def test_the_second_step_takes_a_code_or_a_recovery_code(lab: Any, travel: Travel) -> None:
    app = await App.new(lab)
    secret, codes = await enrolled(lab, app)
    travel(timedelta(seconds=30))
    for proof, amr in (
        ({"code": pyotp.TOTP(secret).at(int(clock.now().timestamp()))}, ["pwd", "otp", "mfa"]),
        ({"recovery_code": codes[0]}, ["pwd", "otp", "mfa"]),
    ):
        browser = app.browser()
        await app.ask(browser, prompt="consent")
        await browser.sign_in(app.form["email"], app.form["password"])
        assert browser.page == "second_step"
        answer = await browser.send("/oauth/authorize/second-step", code="000000")
        assert (answer.status_code, browser.page) == (401, "second_step")
        await browser.send("/oauth/authorize/second-step", **proof)
        assert browser.page == "consent"
        made = await app.exchange(query_of(await browser.decide("allow"))["code"])
        assert claims(made.json()["id_token"])["amr"] == amr


async def test_a_passkey_signs_in_alone(lab: Any) -> None:
    app, key = await App.new(lab), Authenticator()
    headers = {"authorization": f"Bearer {app.owner['access_token']}"}
    begun = (await lab.auth.http.post("/api/mfa/passkeys/options", headers=headers)).json()
    made = {"ceremony_id": begun["ceremony_id"], "name": "phone", "credential": key.create(begun["options"])}
    assert (await lab.auth.http.post("/api/mfa/passkeys", json=made, headers=headers)).status_code == 201
    browser = app.browser()
    await app.ask(browser)
    for wrong in ({"credential": "{"}, {"credential": "[]"}, {"credential": "{}"}, {}):
        answer = await browser.send("/oauth/authorize/passkey", ceremony_id=begun["ceremony_id"], **wrong)
        assert (answer.status_code, browser.page) == (401, "sign_in")
    begun = (await lab.auth.http.post("/api/auth/login/passkey/options")).json()
    shown = {"ceremony_id": begun["ceremony_id"], "credential": json.dumps(key.get(begun["options"]))}
    await browser.send("/oauth/authorize/passkey", **shown)
    assert browser.page == "consent", browser.at.text


async def test_who_is_signed_in_and_allowed_before_is_not_asked_again(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    await app.code(browser)
    assert "code" in query_of(await app.ask(browser))
    assert "code" in query_of(await app.ask(browser, prompt="none"))
    assert "code" in query_of(await app.ask(browser, scope="openid"))
    await app.ask(browser, scope="openid profile email campaign:view")
    assert browser.page == "consent", "more than before is asked"
    await app.ask(browser, prompt="consent")
    assert browser.page == "consent"
    assert query_of(await app.ask(browser, scope="openid org:admin", prompt="none"))["error"] == "consent_required"
    answer = await app.ask(browser, scope="openid org:admin")
    assert query_of(await browser.decide("deny"))["error"] == "access_denied"
    assert answer.status_code == 200


async def test_an_app_asks_for_a_fresh_sign_in(lab: Any, travel: Travel) -> None:
    app, other = await App.new(lab), await lab.verified()
    browser = app.browser()
    first = await app.tokens(browser)
    await app.ask(browser, max_age="0")
    assert browser.page == "sign_in"
    travel(timedelta(minutes=2))
    assert query_of(await app.ask(browser, prompt="none", max_age="60"))["error"] == "login_required"
    assert "code" in query_of(await app.ask(browser, max_age="300"))
    await app.ask(browser, prompt="login")
    assert browser.page == "sign_in"
    answer = await browser.decide("allow")
    assert browser.page == "sign_in", "a decision does not stand in for a sign-in"
    answer = await browser.sign_in(app.form["email"], app.form["password"])
    made = await app.exchange(query_of(answer)["code"])
    assert claims(made.json()["id_token"])["auth_time"] > claims(first["id_token"])["auth_time"] + 100
    hint = first["id_token"]
    assert "code" in query_of(await app.ask(browser, prompt="none", id_token_hint=hint))
    forged = hint.rpartition(".")[0] + ".AAAA"
    assert query_of(await app.ask(browser, prompt="none", id_token_hint=forged))["error"] == "login_required"
    await app.ask(browser, prompt="login")
    await browser.sign_in(other["email"], other["password"])
    assert query_of(await app.ask(browser, prompt="none", id_token_hint=hint))["error"] == "login_required"


async def test_only_members_of_its_organisation_use_an_app(lab: Any) -> None:
    app, stranger = await App.new(lab), await App.new(lab)
    browser = app.browser()
    await app.ask(browser)
    answer = await browser.sign_in(stranger.form["email"], stranger.form["password"])
    assert (answer.status_code, browser.page) == (403, "stopped")
    assert query_of(await app.ask(browser, prompt="none"))["error"] == "access_denied"
    await app.ask(browser)
    await browser.send("/oauth/authorize/other-account")
    assert browser.page == "sign_in"
    await browser.sign_in(app.form["email"], app.form["password"])
    assert browser.page == "consent"


async def test_every_page_for_who_is_signed_in_has_a_way_out(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    await app.ask(browser)
    await browser.sign_in(app.form["email"], app.form["password"])
    assert browser.page == "consent"
    assert "Use another account" in browser.at.text
    assert 'formaction="/oauth/authorize/other-account"' in browser.at.text
    before = browser.cookie
    await browser.send("/oauth/authorize/other-account")
    assert browser.page == "sign_in"
    browser.cookie = before
    await app.ask(browser)
    assert browser.page == "sign_in", "the old cookie opens nothing"


async def test_who_must_set_up_a_second_factor_does_that_first(lab: Any, travel: Travel) -> None:
    app = await App.new(lab)
    travel(timedelta(days=8))
    browser = app.browser()
    await app.ask(browser)
    answer = await browser.sign_in(app.form["email"], app.form["password"])
    assert (answer.status_code, browser.page) == (403, "stopped")
    assert query_of(await app.ask(browser, prompt="none"))["error"] == "interaction_required"


async def test_a_program_on_a_device_is_always_asked_for(lab: Any) -> None:
    back = "http://127.0.0.1/back"
    app = await App.new(lab, public=True, redirect_uris=[back], scopes=["openid"], grant_types=["authorization_code"])
    browser = app.browser()
    there = {"redirect_uri": "http://127.0.0.1:40123/back", "scope": "openid"}
    code = await app.code(browser, **there)
    assert (await app.exchange(code, redirect_uri=there["redirect_uri"])).status_code == 200
    await app.ask(browser, **there)
    assert browser.page == "consent"
    assert query_of(await app.ask(browser, prompt="none", **there))["error"] == "consent_required"


async def test_a_browser_is_signed_out_with_its_session(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    await app.code(browser)
    headers = {"authorization": f"Bearer {(await lab.login(app.form)).json()['access_token']}"}
    listed = (await lab.auth.http.get("/api/sessions", headers=headers)).json()["sessions"]
    assert len(listed) == 3, "the owner's two, and the browser's"
    assert (await lab.auth.http.post("/api/sessions/revoke-others", headers=headers)).status_code == 200
    await app.ask(browser)
    assert browser.page == "sign_in"


async def test_nothing_of_a_browser_lies_readable(lab: Any) -> None:
    app = await App.new(lab)
    browser = app.browser()
    code = await app.code(browser)
    store = lab.auth.service.store
    assert await store.browsers.get(browser.cookie) is None
    assert await store.codes.get(code) is None
