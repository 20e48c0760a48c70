"""An app and a program with an API key, through the public door."""

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import timedelta

import httpx2 as httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from omnify_local.journey import Marketer
from omnify_shared import clock
from omnify_shared.testing import Platform
from support.browser import Browser, query_of

OVERVIEW = "/api/analytics/overview?from=2024-01-01&to=2024-03-31"


def test_an_api_key_works_in_every_service_until_it_is_revoked(
    platform: Platform, new_marketer: Callable[..., Marketer]
) -> None:
    ada = new_marketer()
    ada.join(platform.inbox)
    expires_at = (clock.now() + timedelta(days=1)).isoformat()
    form = {"name": "Nightly", "scopes": ["analytics:view"], "expires_at": expires_at}
    made = ada.ask("POST", "/api/api-keys", 201, json=form)
    headers = {"authorization": f"Bearer {made['api_key']}"}
    assert ada.http.get(OVERVIEW, headers=headers).status_code == 200
    assert ada.http.get("/api/audit", headers=headers).status_code == 403
    assert ada.http.get(OVERVIEW, headers={"authorization": made["api_key"]}).status_code == 401
    assert ada.http.get(OVERVIEW, headers={"authorization": f"Bearer {made['api_key']}x"}).status_code == 401
    ada.ask("DELETE", f"/api/api-keys/{made['key_id']}", 204)
    deadline = time.monotonic() + 30
    while ada.http.get(OVERVIEW, headers=headers).status_code == 200:
        assert time.monotonic() < deadline, "the key is still accepted"
        time.sleep(0.1)
    assert ada.http.get(OVERVIEW, headers=headers).status_code == 401


def test_an_app_works_in_its_own_name(platform: Platform, new_marketer: Callable[..., Marketer]) -> None:
    ada = new_marketer()
    ada.join(platform.inbox)
    form = {"name": "Reports", "grant_types": ["client_credentials"], "scopes": ["analytics:view"]}
    client = ada.ask("POST", "/api/oauth/clients", 201, json=form)
    auth = (client["client_id"], client["client_secret"])
    answer = ada.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=auth)
    headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert ada.http.get(OVERVIEW, headers=headers).status_code == 200
    assert ada.http.get("/api/auth/me", headers=headers).status_code == 403


async def test_what_a_user_allowed_an_app_is_taken_back_in_every_service(
    platform: Platform, new_marketer: Callable[..., Marketer]
) -> None:
    ada = new_marketer().join(platform.inbox)
    back = "https://planner.example.com/back"
    form = {"name": "Planner", "redirect_uris": [back], "scopes": ["openid", "analytics:view"]}
    client = ada.ask("POST", "/api/oauth/clients", 201, json=form)
    verifier = secrets.token_urlsafe(32)
    request = {
        "response_type": "code", "client_id": client["client_id"], "redirect_uri": back,
        "scope": "openid analytics:view", "code_challenge_method": "S256",
        "code_challenge": create_s256_code_challenge(verifier),
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:
        browser = Browser(http, origin=platform.url)
        await browser.open("/oauth/authorize", request)
        await browser.sign_in(ada.email, ada.password)
        code = query_of(await browser.decide("allow"))["code"]
        sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
        auth = (client["client_id"], client["client_secret"])
        tokens = (await http.post("/oauth/token", data=sent, auth=auth)).raise_for_status().json()
        headers = {"authorization": f"Bearer {tokens['access_token']}"}
        assert (await http.get(OVERVIEW, headers=headers)).status_code == 200
        assert (await http.get("/api/audit", headers=headers)).status_code == 403, "an owner's app, without the scope"
        ada.ask("DELETE", f"/api/oauth/grants/{client['client_id']}", 204)
        deadline = time.monotonic() + 30
        while (await http.get(OVERVIEW, headers=headers)).status_code == 200:
            assert time.monotonic() < deadline, "the token is still accepted"
            await asyncio.sleep(0.1)
        assert (await http.get(OVERVIEW, headers=headers)).status_code == 401
