"""An app and a program with an API key, through the public door."""

import time
from collections.abc import Callable
from datetime import timedelta

from omnify_local.journey import Marketer
from omnify_shared import clock
from omnify_shared.testing import Platform

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
    deadline = time.monotonic() + 5
    while ada.http.get(OVERVIEW, headers=headers).status_code == 200:
        assert time.monotonic() < deadline, "the key is accepted five seconds after it was revoked"
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
