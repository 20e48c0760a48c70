"""The events that go out. Dedupe by effect: a message is made once per event, and sent once per message."""

from typing import Any

from omnify_shared.erasure import follow_erasures
from omnify_shared.events import CloudEvent, Subscriptions
from omnify_webhooks.public_events import PUBLIC
from omnify_webhooks.service import WebhooksService


def make_subscriptions() -> Subscriptions:
    """Subscribes to every public event type, and to what ends an organisation."""
    subscriptions = Subscriptions("webhooks")

    async def take(event: CloudEvent[Any], service: WebhooksService) -> None:
        await service.messages.take(event)

    for reader in PUBLIC.values():
        subscriptions.on(reader, dedupe="effect")(take)
    follow_erasures(subscriptions)
    return subscriptions
