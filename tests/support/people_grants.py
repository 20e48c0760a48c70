"""Ada signs in to apps of her organisation, in the golden files: one goes on, of one she took back what she allowed."""

import asyncio
from typing import Any

import httpx2 as httpx
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from omnify_local.journey import Marketer
from support.browser import Browser, query_of

BACK = "https://planner.example.com/back"
VERIFIER = "a-verifier-of-an-app-that-signs-people-in-43x"


def with_grants(ada: Marketer) -> dict[str, Any]:
    """What the app keeps for itself: its secret, and a refresh token that still counts."""
    wanted = {"name": "Planner", "redirect_uris": [BACK], "scopes": ["openid", "offline_access", "campaign:view"]}
    kept, left = (ada.ask("POST", "/api/oauth/clients", 201, json=wanted) for _ in range(2))
    tokens = asyncio.run(_signed_in(ada, [kept, left]))
    ada.ask("DELETE", f"/api/oauth/grants/{left['client_id']}", 204)
    return {"planner": kept, "planner_refresh_token": tokens["refresh_token"]}


async def _signed_in(ada: Marketer, clients: list[dict[str, Any]]) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=ada.gateway, timeout=60) as http:
        browser = Browser(http, origin=ada.gateway)
        found = [await _tokens(ada, browser, client) for client in clients]
        await _code(ada, browser, clients[0])
    return found[0]


async def _tokens(ada: Marketer, browser: Browser, client: dict[str, Any]) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": await _code(ada, browser, client),
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    auth = (client["client_id"], client["client_secret"])
    return dict((await browser.http.post("/oauth/token", data=form, auth=auth)).raise_for_status().json())


async def _code(ada: Marketer, browser: Browser, client: dict[str, Any]) -> str:
    request = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": BACK,
        "scope": "openid offline_access campaign:view",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    answer = await browser.open("/oauth/authorize", request)
    if browser.page == "sign_in":
        answer = await browser.sign_in(ada.email, ada.password)
    if browser.page == "consent":
        answer = await browser.decide("allow")
    return query_of(answer)["code"]
