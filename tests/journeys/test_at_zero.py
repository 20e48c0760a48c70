"""Email, webhooks and files at zero replicas, sidecars too: what happens meanwhile is done when they are back."""

import time
from collections.abc import Callable, Iterator

import pytest

from omnify_local.journey import Marketer, token_in
from omnify_shared.testing import Platform
from support.shops import COMPLETED, ORDER_OPTIONS, ORDERS, Arrived

pytestmark = pytest.mark.guarantee("journeys")
SCALED = ("email", "webhooks", "files")
NOTES = b"a few words for a campaign"


@pytest.fixture
def scale(platform: Platform) -> Iterator[Callable[[int], None]]:
    """Takes the services to no replica, or back to one."""
    services = [platform.services[name] for name in SCALED]

    def to(replicas: int) -> None:
        for service in services:
            if replicas:
                service.sidecar.launch()
                service.launch()
            else:
                service.terminate()
                service.sidecar.terminate()
        if replicas:
            platform.wait(90, only=SCALED)

    yield to
    if any(service.process is None for service in services):
        to(1)


def test_nothing_is_lost_at_zero(
    platform: Platform, scale: Callable[[int], None], shop: Arrived, new_marketer: Callable[..., Marketer]
) -> None:
    ada = new_marketer().join(platform.inbox)
    form = {"url": f"http://127.0.0.1:{platform.receiver_port}/omnify", "event_types": [COMPLETED]}
    ada.ask("POST", "/api/webhooks/endpoints", 201, json=form)
    file_id = ada.announce_file("idea.txt", len(NOTES), "campaign_idea")
    ada.send_bytes(file_id, NOTES[:10], offset=0).raise_for_status()
    shop.clear()

    scale(0)
    bob = new_marketer()
    bob.register()
    imported = ada.wait_for_import(ada.start_import(ORDERS, ORDER_OPTIONS))
    assert imported["status"] == "completed"
    away = ada.http.get("/api/files", headers={"Authorization": f"Bearer {ada.tokens['access_token']}"})
    assert away.status_code in {502, 503}, away.text
    assert away.headers["content-type"] == "application/problem+json"
    assert shop == []

    scale(1)
    bob.verify(token_in(platform.inbox.wait_for(bob.email, timeout=90)[-1]))
    deadline = time.monotonic() + 90
    while not shop:
        assert time.monotonic() < deadline, "the webhook did not come"
        time.sleep(0.1)
    assert len(shop) == 1
    ada.send_bytes(file_id, NOTES[10:], offset=10).raise_for_status()
    assert ada.wait_for_file(file_id, "quarantined", "scanning", "ready")["file_id"] == file_id
