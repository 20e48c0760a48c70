"""From an event of the platform to messages on their way."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from omnify_shared import clock
from omnify_shared.events import CloudEvent, Poison
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_webhooks.errors import EndpointOff
from omnify_webhooks.lanes import Lanes
from omnify_webhooks.public_events import TEST_TYPE, PublicEvent
from omnify_webhooks.records import Endpoint, Message, Trigger
from omnify_webhooks.service.health import Nurse
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.wheel import Held, Slot, Wheel

STORED = point("webhooks.take.stored")
QUEUED = point("webhooks.take.queued")
LISTED = point("webhooks.take.listed")


@dataclass(frozen=True, slots=True)
class Job:
    """A delivery in hand: `held` until its lease is over."""

    held: Held
    message: Message
    trigger: Trigger
    fresh: bool
    """Whether nothing was tried yet, as far as is known."""

    @property
    def lane(self) -> str:
        """Which lane it runs in."""
        return self.held.slot.endpoint_id

    @property
    def name(self) -> str:
        """Which delivery it is."""
        return self.held.slot.name


class Messages:
    """Takes events and sees to it that each reaches the endpoints that want it."""

    def __init__(
        self,
        settings: WebhooksSettings,
        store: WebhooksStore,
        wheel: Wheel,
        nurse: Nurse,
        lanes: Lanes[Job],
    ) -> None:
        self._settings = settings
        self._store = store
        self._wheel = wheel
        self._nurse = nurse
        self._lanes = lanes

    async def take(self, event: CloudEvent[Any]) -> None:
        """An event of the platform. Returning means that it can't be forgotten; taking it again changes nothing."""
        data: PublicEvent = event.data
        wanting = [
            endpoint
            for endpoint in (await self._store.endpoints(data.organization_id, recent=True)).endpoints
            if event.type in endpoint.event_types
        ]
        if wanting:
            message = self._message(event)
            await self.send(message, wanting, "event")

    async def send(self, message: Message, endpoints: Sequence[Endpoint], trigger: Trigger) -> None:
        """Keeps a message and sends it to the endpoints that are enabled; the others can ask for it later.

        Most of it is written side by side: after a crash in between the event comes again and finds what is there. What
        has to wait anyhow is written when the others are on their way.
        """
        slots = [Slot(message.organization_id, one.endpoint_id, message.message_id) for one in endpoints if one.enabled]
        asked = slots if trigger != "test" else ()
        waits = dict(zip(asked, await asyncio.gather(*map(self._nurse.parks_until, asked)), strict=True))
        await asyncio.gather(
            self._begin(message, [slot for slot in slots if not waits.get(slot)], trigger),
            self._list(message, [endpoint.endpoint_id for endpoint in endpoints]),
        )
        await asyncio.gather(*(self._nurse.park(slot, until) for slot, until in waits.items() if until))

    async def _begin(self, message: Message, slots: Sequence[Slot], trigger: Trigger) -> None:
        fresh, held = await asyncio.gather(self._keep(message), self._hold(slots))
        for one in held if fresh else ():
            self._lanes.offer(Job(one, message, trigger, fresh=True))

    async def _keep(self, message: Message) -> bool:
        fresh = await self._store.create_message(message)
        reach(STORED)
        return fresh

    async def _hold(self, slots: Sequence[Slot]) -> list[Held]:
        held = await asyncio.gather(*(self._wheel.hold(slot) for slot in slots))
        reach(QUEUED)
        return held

    async def _list(self, message: Message, endpoint_ids: Sequence[str]) -> None:
        await self._store.list_message(message, endpoint_ids)
        reach(LISTED)

    async def test(self, organization_id: str, endpoint: Endpoint) -> Message:
        """Sends a message that says nothing to one endpoint. Raises EndpointOff."""
        if not endpoint.enabled:
            raise EndpointOff("enable it first")
        content = {"organization_id": organization_id, "endpoint_id": endpoint.endpoint_id}
        message = _message(organization_id, f"msg_{new_id().replace('-', '')}", TEST_TYPE, content, clock.now())
        await self.send(message, [endpoint], "test")
        return message

    def _message(self, event: CloudEvent[Any]) -> Message:
        """The same message for the same event, whoever takes it and however often."""
        digest = hashlib.sha256(f"{event.source}\n{event.id}".encode()).hexdigest()[:32]
        content = event.data.model_dump(mode="json")
        message = _message(event.data.organization_id, f"msg_{digest}", event.type, content, event.time)
        if len(message.payload.encode()) > self._settings.max_payload:
            raise Poison(f"the payload has more than {self._settings.max_payload} bytes")
        return message


def _message(organization_id: str, message_id: str, event_type: str, content: Any, at: Any) -> Message:
    payload = to_json({"type": event_type, "timestamp": at, "data": content}).decode()
    return Message(
        message_id=message_id,
        organization_id=organization_id,
        event_type=event_type,
        payload=payload,
        created_at=clock.now(),
    )
