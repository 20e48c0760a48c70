"""Auth hears its own events: all of them go to the audit log, and of some their user is told by mail."""

from typing import Any

from omnify_auth.events import EVENTS, AddressChanged
from omnify_auth.service import AuthService
from omnify_shared.events import CloudEvent, Subscriptions


def make_subscriptions() -> Subscriptions:
    """Subscribes to every event type of auth. Handling one twice changes nothing, so no record is kept."""
    subscriptions = Subscriptions("auth")

    async def record(event: CloudEvent[Any], service: AuthService) -> None:
        await service.audit.record(event)
        await service.notices.tell(event)
        if isinstance(event.data, AddressChanged):
            await service.address_change.release(event.data.user_id)

    for reader in EVENTS:
        subscriptions.on(reader, dedupe="effect")(record)
    return subscriptions
