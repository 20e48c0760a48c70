"""What the webhooks service is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import JsonValue

from omnify_shared.erasure import Erasures, Subject
from omnify_shared.exports import MOST
from omnify_shared.platform import Platform
from omnify_shared.vault import Vault
from omnify_webhooks.access import KEY_ENCRYPTION_KEY
from omnify_webhooks.addresses import Guard
from omnify_webhooks.events import ErasureCompleted
from omnify_webhooks.metrics import WebhookMetrics
from omnify_webhooks.parking import Parking
from omnify_webhooks.sending import Sender
from omnify_webhooks.service.connections import ConnectionBook
from omnify_webhooks.service.deliveries import Deliveries
from omnify_webhooks.service.endpoints import EndpointBook
from omnify_webhooks.service.health import Nurse
from omnify_webhooks.service.messages import Messages
from omnify_webhooks.service.receiving import Receiver
from omnify_webhooks.service.replays import Replays
from omnify_webhooks.service.secrets import SecretKeeper
from omnify_webhooks.service.waking import Waker
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.wheel import Wheel

_OF_ENDPOINTS = {"endpoint_id", "description", "event_types", "created_at"}
_OF_CONNECTIONS = {"organization_id", "connection_id", "provider", "description", "created_at"}


class WebhooksService:
    """The parts that routes and subscriptions use."""

    def __init__(self, settings: WebhooksSettings, platform: Platform) -> None:
        guard = Guard(settings.ports, settings.exempt_targets)
        store = WebhooksStore(platform.state, platform.outbox, settings.retention)
        wheel = Wheel(store.due, store.cursors, settings.lease)
        parking = Parking(store.parked, Wheel(store.wakings, store.waking_cursors, settings.lease))
        keeper = SecretKeeper(Vault(platform.secrets, KEY_ENCRYPTION_KEY))
        metrics = WebhookMetrics(platform.telemetry)
        self.settings = settings
        self.sender = Sender(
            guard, connect_timeout=settings.connect_timeout, timeout=settings.timeout, most=4 * settings.at_once
        )
        self.endpoints = EndpointBook(settings, store, keeper, guard)
        nurse = Nurse(settings, store, parking)
        self.deliveries = Deliveries(
            settings, store, wheel, self.endpoints, self.sender, nurse, metrics, platform.tasks
        )
        self.waker = Waker(settings, store, wheel, parking, nurse, self.deliveries)
        self.messages = Messages(settings, store, wheel, nurse, self.deliveries.lanes)
        self.replays = Replays(store, wheel)
        self.connections = ConnectionBook(settings, store, keeper)
        self.receiver = Receiver(settings, store, self.connections, metrics)
        self.erasures = Erasures(platform, ErasureCompleted, self._erase)
        self._store = store

    async def export(self, user_id: str) -> dict[str, JsonValue]:
        """The endpoints and connections that a user made; where they lead is the organisation's to know."""
        endpoints, connections = await self._store.made_by(user_id, MOST)
        return {
            "endpoints": [
                {"organization_id": organization_id} | one.model_dump(mode="json", include=_OF_ENDPOINTS)
                for organization_id, one in endpoints
            ],
            "connections": [one.model_dump(mode="json", include=_OF_CONNECTIONS) for one in connections],
        }

    async def _erase(self, subject: Subject) -> dict[str, int]:
        """What a user made is the organisation's and stays; who made it is forgotten."""
        if subject.organization_id:
            return await self._store.erase(subject.organization_id)
        return {"authorships": await self._store.forget_maker(subject.user_id or "")}


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[WebhooksService]:
    """The service, with what runs in its background."""
    service = WebhooksService(platform.settings, platform)
    platform.tasks.spawn(service.deliveries.keep_trying(), name="due deliveries")
    platform.tasks.spawn(service.waker.keep_looking(), name="parked deliveries")
    platform.tasks.spawn(service.erasures.run(), name="erasures")
    try:
        yield service
    finally:
        await service.sender.close()
