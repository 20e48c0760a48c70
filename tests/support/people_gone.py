"""The people of the golden files whose accounts have ended: Nora's is erased, Olga's was disabled and is back."""

import time
from typing import Any

import httpx2 as httpx

from omnify_local.journey import Marketer
from omnify_shared.testing import Platform

ERASURE = "/api/auth/me/erasure"


def with_endings(nora: Marketer, olga: Marketer, platform: Platform) -> dict[str, Any]:
    """Ends both; email is away for so long that it is asked again for Nora's receipt."""
    nora.join(platform.inbox)
    nora.ask("POST", "/api/legal/accept", 200, json={"document_type": "terms", "version": "1.0"})
    email = platform.services["email"]
    email.suspend()
    try:
        asked = nora.ask("POST", ERASURE, 202, json={"email": nora.email})
        wait_for(nora, asked, lambda found: found["reminded_at"] is not None)
    finally:
        email.resume()
    wait_for(nora, asked, lambda found: found["status"] == "erased")
    _disabled(olga, platform)
    return {"nora_erasure_id": asked["erasure_id"], "nora_status_token": asked["status_token"]}


def wait_for(one: Marketer, asked: dict[str, Any], holds: Any, seconds: float = 90) -> dict[str, Any]:
    """The status of an erasure, once it is as wanted."""
    headers = {"x-erasure-token": asked["status_token"]}
    deadline = time.monotonic() + seconds
    while True:
        answer = one.http.get(f"/api/auth/erasures/{asked['erasure_id']}", headers=headers)
        found: dict[str, Any] = answer.raise_for_status().json()
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _disabled(one: Marketer, platform: Platform) -> None:
    one.join(platform.inbox)
    user_id = one.tokens["user"]["user_id"]
    one.ask("POST", "/api/auth/me/disable", 204)
    operated(platform, f"/internal/users/{user_id}/enable")
    one.tokens = {}
    one.log_in()


def operated(platform: Platform, path: str) -> None:
    """What an operator asks of auth through auth's own sidecar."""
    sidecar = platform.services["auth"].sidecar
    headers = sidecar.headers | {"dapr-app-id": "auth"}
    httpx.post(f"{sidecar.url}{path}", headers=headers, timeout=30).raise_for_status()
