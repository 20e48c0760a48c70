"""API keys on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import jwt
import pytest

from omnify_shared import clock


async def ask(lab: Any, who: dict[str, Any], method: str, path: str = "", **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {who['access_token']}"}
    extra = {"json": body} if body else {}
    answer: httpx.Response = await lab.auth.http.request(method, f"/api/api-keys{path}", headers=headers, **extra)
    return answer


def wanted(**fields: Any) -> dict[str, Any]:
    expires_at = (clock.now() + timedelta(days=30)).isoformat()
    return {"name": "Nightly", "scopes": ["org:admin"], "expires_at": expires_at} | fields


async def exchange(lab: Any, key: str, caller: str = "gateway") -> httpx.Response:
    headers = {"dapr-caller-app-id": caller}
    answer: httpx.Response = await lab.auth.http.post(
        "/internal/api-keys/exchange", json={"api_key": key}, headers=headers
    )
    return answer


async def test_a_key_acts_as_its_user_within_its_scopes(lab: Any) -> None:
    who = await lab.signed_in()
    made = (await ask(lab, who, "POST", **wanted())).json()
    assert made["api_key"].startswith(made["prefix"] + "_")
    answer = await exchange(lab, made["api_key"])
    assert answer.headers["cache-control"] == "no-store"
    text = answer.json()["access_token"]
    claims = jwt.decode(text, options={"verify_signature": False})
    assert (claims["sub"], claims["sid"]) == (who["user"]["user_id"], made["key_id"])
    assert claims["org"] == who["user"]["organization_id"]
    assert (await lab.auth.get("/api/audit", text)).status_code == 200
    assert (await lab.auth.get("/api/auth/me", text)).status_code == 403
    narrow = (await ask(lab, who, "POST", **wanted(scopes=["analytics:view"]))).json()
    text = (await exchange(lab, narrow["api_key"])).json()["access_token"]
    assert (await lab.auth.get("/api/audit", text)).status_code == 403
    [first, second] = (await ask(lab, who, "GET")).json()["api_keys"]
    assert (first["key_id"], second["key_id"]) == (narrow["key_id"], made["key_id"])
    assert first["last_used_at"]
    assert "api_key" not in first


async def test_a_revoked_key_and_its_tokens_are_refused(lab: Any) -> None:
    who = await lab.signed_in()
    made = (await ask(lab, who, "POST", **wanted())).json()
    text = (await exchange(lab, made["api_key"])).json()["access_token"]
    assert (await ask(lab, who, "DELETE", f"/{made['key_id']}")).status_code == 204
    assert (await exchange(lab, made["api_key"])).status_code == 401
    assert (await lab.auth.get("/api/audit", text)).status_code == 401
    assert (await ask(lab, who, "DELETE", f"/{made['key_id']}")).status_code == 404
    assert (await ask(lab, who, "GET")).json()["api_keys"] == []


async def test_a_removed_member_has_no_keys_and_coming_back_brings_none(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague()
    made = (await ask(lab, guest.tokens, "POST", **wanted(scopes=["analytics:view"]))).json()
    text = (await exchange(lab, made["api_key"])).json()["access_token"]
    assert (await lab.auth.get("/api/audit", text)).status_code == 403, "known, and may not"
    assert (await owner.here("DELETE", f"/members/{guest.id}")).status_code == 204
    assert (await exchange(lab, made["api_key"])).status_code == 401
    assert (await lab.auth.get("/api/audit", text)).status_code == 401
    store = lab.auth.service.store
    assert (await store.api_keys.get(made["key_id"])).revoked_at
    assert await store.api_key_lists.get(owner.organization_id, guest.id) is None

    async def told(event: dict[str, Any]) -> Any:
        return (
            event["data"]
            if event["data"].get("session_id") == made["key_id"] and "expires_at" in event["data"]
            else None
        )

    assert (await lab.probe.first(told))["user_id"] == guest.id, "every service hears of it"
    token = await owner.invited(guest.email)
    await guest.refresh()
    assert (await guest.ask("POST", "/invitations/accept", token=token)).status_code == 200
    assert (await exchange(lab, made["api_key"])).status_code == 401


async def test_only_the_gateway_exchanges_and_only_good_keys(lab: Any, travel: Callable[[timedelta], None]) -> None:
    who, other = await lab.signed_in(), await lab.signed_in()
    made = (await ask(lab, who, "POST", **wanted())).json()
    assert (await exchange(lab, made["api_key"], "email")).status_code == 403
    for wrong in ("omn_", "omn_x_y", made["api_key"] + "x", made["prefix"] + "_", made["prefix"], "nonsense"):
        assert (await exchange(lab, wrong)).status_code == 401, wrong
    assert (await ask(lab, other, "DELETE", f"/{made['key_id']}")).status_code == 404
    travel(timedelta(days=31))
    assert (await exchange(lab, made["api_key"])).status_code == 401


async def test_what_a_key_may_be(lab: Any) -> None:
    who = await lab.signed_in()
    for days in (-1, 367):
        expires_at = (clock.now() + timedelta(days=days)).isoformat()
        assert (await ask(lab, who, "POST", **wanted(expires_at=expires_at))).status_code == 422
    for scopes in ([], ["everything"]):
        assert (await ask(lab, who, "POST", **wanted(scopes=scopes))).status_code == 422


async def test_many_at_once_do_not_pass_the_limit(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    who = await lab.signed_in()
    monkeypatch.setattr("omnify_auth.service.api_keys.MOST", 6)
    answers = await asyncio.gather(*(ask(lab, who, "POST", **wanted()) for _ in range(16)))
    made = [answer.json()["key_id"] for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert 0 < len(made) <= 6
    listed = [one["key_id"] for one in (await ask(lab, who, "GET")).json()["api_keys"]]
    assert sorted(listed) == sorted(made), "each is listed, so that it can be revoked"
