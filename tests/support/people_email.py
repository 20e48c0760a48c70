"""Ada's mails to her customers, in the golden files: sent, suppressed, delivered, bounced, and one that waits."""

import time
from typing import Any

from omnify_email.store.mails import MailStore
from omnify_local.journey import Marketer
from omnify_shared import clock
from omnify_shared.ids import new_id
from omnify_shared.indexes import Index
from omnify_shared.platform import Platform as Blocks
from support.sendgrid import PATH, batch, event

_LONG = 120.0  # seconds


def with_mails(ada: Marketer) -> dict[str, Any]:
    """Asks for mails, and hears what became of them."""
    ada.ask("PUT", "/api/email/defaults", 200, json={"categories": {"product": False}})
    ada.ask("PUT", "/api/email/preferences", 200, json={"categories": {"product": True}})
    ada.ask("POST", "/api/email/suppressions", 201, json={"emails": [_address("stopped")], "note": "by phone"})
    ada.ask("POST", "/api/email/domains", 201, json={"domain": "golden.example.com"})
    body = {
        "template": "announcement",
        "values": {"headline": "Autumn is here", "text": "Come and see."},
        "recipients": [{"email": _address(name)} for name in ("pleased", "moved", "stopped")],
    }
    request_id = ada.ask("POST", "/api/email/messages", 202, json=body)["request_id"]
    _until(ada, request_id, ["sent", "sent", "suppressed"])
    told = [
        event(f"{request_id}.00", "delivered", _address("pleased")),
        event(f"{request_id}.01", "bounce", _address("moved"), type="bounce", status="5.1.1"),
    ]
    content, headers = batch(*told)
    ada.http.post(PATH, content=content, headers=headers).raise_for_status()
    _until(ada, request_id, ["delivered", "bounced", "suppressed"])
    return {"message_request_id": request_id}


async def leave_mails(blocks: Blocks) -> None:
    """A mail that waits, and lists of several pages."""
    await MailStore(blocks.state, blocks.outbox).list_many([f"{new_id()}.00"], "announcement", clock.now())
    for kind in ("requests", "standings", "domains", "user-choices"):
        pages = Index(blocks.state, kind, page_size=1)
        for number in range(2):
            await pages.add("another-organization", str(number))


def _until(ada: Marketer, request_id: str, wanted: list[str]) -> None:
    deadline = time.monotonic() + _LONG
    while True:
        messages = ada.ask("GET", f"/api/email/requests/{request_id}", 200)["messages"]
        if [message["status"] for message in messages] == wanted:
            return
        assert time.monotonic() < deadline, messages
        time.sleep(0.1)


def _address(name: str) -> str:
    return f"{name}@customers.example.com"
