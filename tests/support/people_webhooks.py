"""Ned of the golden files: he has events sent to an endpoint that does not exist, until it is disabled."""

import time
from typing import Any

from omnify_local.inbox import Inbox
from omnify_local.journey import Marketer
from support.vendors import VENDORS

# An endpoint rests after its first failure, and is disabled at its second, not after days of them. The second try is
# due while it rests, and waits.
WEBHOOKS_FAIL = {
    "WEBHOOKS_BREAKER_FAILURES": "1",
    "WEBHOOKS_BREAKER_WAIT": "4",
    "WEBHOOKS_DISABLE_AFTER": "1",
    "WEBHOOKS_LADDER": "[0, 2, 3600]",
}
IMPORT_FAILED = "omnify.analytics.import.failed.v1"
OPTIONS = {"currency": "EUR", "columns": {"customer_id": "who", "ordered_at": "when", "amount": "paid"}}


def with_webhooks(ned: Marketer, inbox: Inbox) -> dict[str, Any]:
    """Two endpoints, of which the one that is disabled waits for nothing more. What Ned keeps of them."""
    ned.join(inbox)
    form = {"url": "https://hooks.golden.invalid/omnify", "event_types": [IMPORT_FAILED], "description": "Ned's"}
    path = "/api/webhooks/endpoints"
    broken = ned.ask("POST", path, 201, json=form, headers={"Idempotency-Key": "ned-1"})
    kept = ned.ask("POST", path, 201, json=form | {"event_types": ["omnify.auth.member.added.v1"]})
    ned.ask("POST", f"{path}/{kept['endpoint_id']}/secret", 200, json={})
    ned.wait_for_import(ned.start_import(b"who,when,paid\nann,someday,1\n", OPTIONS, "useless.csv"))
    _receives(ned)
    deadline = time.monotonic() + 60
    while ned.ask("GET", f"{path}/{broken['endpoint_id']}", 200)["enabled"]:
        assert time.monotonic() < deadline, "the endpoint was not disabled"
        time.sleep(0.1)
    return {"ned_email": ned.email, "ned_endpoint_id": kept["endpoint_id"], "ned_broken_id": broken["endpoint_id"]}


def _receives(ned: Marketer) -> None:
    """What comes from another platform: through one connection that is there, and one that is gone."""
    vendor, path = VENDORS["meta"], "/api/webhooks/connections"
    form = {"provider": "meta", "secret": vendor.secrets["right"], "verify_token": "Ned shakes hands"}
    kept, gone = (ned.ask("POST", path, 201, json=form) for _ in range(2))
    for made in (kept, gone):
        headers = vendor.sign(vendor.secrets["right"], vendor.body, time.time(), made["url"])
        door = f"/api/webhooks/in/meta/{made['connection_id']}"
        ned.ask("POST", door, 200, content=vendor.body, headers=headers)
    ned.ask("DELETE", f"{path}/{gone['connection_id']}", 204)
