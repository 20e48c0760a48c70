"""The end of an account on the whole platform: every service deletes what it holds and says so."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from omnify_local.journey import Marketer
from omnify_shared.testing import Platform
from support.golden import rows
from support.people_gone import ERASURE, operated, wait_for

OPTIONS: dict[str, Any] = {
    "date_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "amount"},
}
ORDERS = b"customer,day,amount\n1,2024-01-05,10\n2,2024-02-05,20\n"
ENDPOINT = {"url": "https://hooks.example.invalid/in", "event_types": ["omnify.analytics.import.failed.v1"]}
PASSING = ("outbox/", "erasure/", "revocations/", "rate/")
PLACES = ("/api/auth/me", "/api/analytics/imports")


@pytest.mark.timeout(240)
def test_an_account_ends_in_every_service(
    platform: Platform, new_marketer: Callable[..., Marketer], set_name: str
) -> None:
    ada = new_marketer()
    ada.join(platform.inbox)
    user = ada.tokens["user"]
    imported = ada.wait_for_import(ada.start_import(ORDERS, OPTIONS))
    file_id = ada.announce_file("plan.txt", 5, "other")
    endpoint = ada.ask("POST", "/api/webhooks/endpoints", 201, json=ENDPOINT)
    began = time.monotonic()
    export = ada.ask("GET", "/api/auth/me/export", 200)
    assert time.monotonic() - began < 60
    parts = {one["service"]: one for one in export["services"]}
    assert [one["import_id"] for one in parts["analytics"]["data"]["imports"]] == [imported["import_id"]]
    assert [one["kind"] for one in parts["email"]["data"]["mails"]] == ["verification"]
    assert [one["file_id"] for one in parts["files"]["data"]["files"]] == [file_id]
    made = parts["webhooks"]["data"]
    assert [one["endpoint_id"] for one in made["endpoints"]] == [endpoint["endpoint_id"]]
    assert [one["missing"] for one in parts.values()] == [None] * len(parts)
    asked = ada.ask("POST", ERASURE, 202, json={"email": ada.email})
    for path in PLACES:
        ada.seconds_until_refused(ada.tokens["access_token"], path)
    found = wait_for(ada, asked, lambda found: found["status"] == "erased")
    counts = {one["service"]: one["counts"] for one in found["services"]}
    assert counts["email"]["mails"] >= 1
    platform.inbox.wait_for(ada.email, subject="Your account was erased", timeout=60)
    if set_name == "local":
        check_stores(platform, ada, user, imported["import_id"])


def check_stores(platform: Platform, ada: Marketer, user: dict[str, Any], import_id: str) -> None:
    """Nothing says who it was, and analytics has nothing but that there was an organisation."""
    for service in ("auth", "analytics", "email", "files", "webhooks"):
        stored = [(key, key.encode() + data) for key, data in rows(platform.home, service)]
        assert [key for key, data in stored if ada.email.encode() in data] == [], service
    for service in ("files", "webhooks"):
        found = [key for key, data in rows(platform.home, service) if user["user_id"].encode() in key.encode() + data]
        assert [key for key in found if not key.startswith(PASSING)] == [], service
    left = [key for key, data in rows(platform.home, "analytics") if import_id.encode() in key.encode() + data]
    assert [key for key in left if not key.startswith(("outbox/", "user-imports-index/"))] == []
    ended = {f"ledger/{user['organization_id']}", f"erasure/{user['organization_id']}"}
    kept = {key for key, _ in rows(platform.home, "analytics") if user["organization_id"] in key}
    assert kept == ended


def test_a_disabled_account_is_out_of_every_service(platform: Platform, new_marketer: Callable[..., Marketer]) -> None:
    bob = new_marketer()
    bob.join(platform.inbox)
    old, user_id = bob.tokens["access_token"], bob.tokens["user"]["user_id"]
    operated(platform, f"/internal/users/{user_id}/disable")
    for path in PLACES:
        bob.seconds_until_refused(old, path)
    login = {"email": bob.email, "password": bob.password}
    refused = bob.http.post("/api/auth/login", json=login)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (401, "invalid-credentials")
    operated(platform, f"/internal/users/{user_id}/enable")
    bob.tokens = {}
    bob.log_in()
    bob.ask("GET", PLACES[0], 200)
