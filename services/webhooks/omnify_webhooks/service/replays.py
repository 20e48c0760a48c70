"""What was sent, and sending it again: one message, all that failed, all that an endpoint never got."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from omnify_shared import clock
from omnify_shared.indexes import Entry
from omnify_webhooks.errors import EndpointOff, UnknownDelivery
from omnify_webhooks.records import Delivery, Endpoint, Message
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.wheel import Slot, Wheel

Which = Literal["failed", "missing"]
PAGE = 200  # messages looked at in one step
MOST = 1000  # sent again by one request


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of an endpoint's list; `delivery` is None while nothing was tried."""

    message_id: str
    event_type: str
    at: float
    delivery: Delivery | None


class Replays:
    """Lists deliveries, and makes them due again."""

    def __init__(self, store: WebhooksStore, wheel: Wheel) -> None:
        self._store = store
        self._wheel = wheel

    async def sent(
        self, organization_id: str, endpoint_id: str, cursor: str | None, limit: int
    ) -> tuple[list[Sent], str | None]:
        """What was sent to an endpoint or waits for it, newest first, from at most `limit` messages."""
        page = await self._store.listed(organization_id, cursor, limit)
        known = await self._known(organization_id, endpoint_id, page.items)
        found = [
            Sent(entry.id, str(entry.summary["type"]), _moment(entry), known.get(entry.id))
            for entry in page.items
            if entry.id in known or endpoint_id in _receivers(entry)
        ]
        return found, page.next_cursor

    async def one(self, organization_id: str, endpoint_id: str, message_id: str) -> tuple[Message, Delivery]:
        """A message and how it went. Raises UnknownDelivery."""
        message = await self._store.message(organization_id, message_id)
        delivery = await self._store.delivery(organization_id, endpoint_id, message_id)
        if message is None or delivery is None:
            raise UnknownDelivery("nothing of that id was tried at this endpoint")
        return message, delivery

    async def again(self, organization_id: str, endpoint: Endpoint, message_id: str) -> Delivery:
        """Sends one message again, with the same id and from the ladder's first step. Raises EndpointOff."""
        _check(endpoint)
        if await self._store.message(organization_id, message_id) is None:
            raise UnknownDelivery("no message of that id is kept")
        return await self._renew(Slot(organization_id, endpoint.endpoint_id, message_id))

    async def all_since(
        self, organization_id: str, endpoint: Endpoint, since: datetime, which: Which, cursor: str | None
    ) -> tuple[int, str | None]:
        """Sends again what failed, or what the endpoint wants by now and never got. How many, and where to go on."""
        _check(endpoint)
        count = 0
        while count < MOST:
            page = await self._store.listed(organization_id, cursor, PAGE)
            known = await self._known(organization_id, endpoint.endpoint_id, page.items)
            for entry in page.items:
                if _moment(entry) >= since.timestamp() and _wanted(which, endpoint, entry, known.get(entry.id)):
                    await self._renew(Slot(organization_id, endpoint.endpoint_id, entry.id))
                    count += 1
            over = bool(page.items) and _moment(page.items[-1]) < since.timestamp()
            if page.next_cursor is None or over:
                return count, None
            cursor = page.next_cursor
        return count, cursor

    async def _renew(self, slot: Slot) -> Delivery:
        """Held first, so that after a crash in between it is sent when the lease is over."""
        held = await self._wheel.hold(slot)
        delivery = await self._store.change_delivery(slot.key, "replay", _anew)
        await self._wheel.add(slot, clock.now())
        await self._wheel.drop(held)
        return delivery

    async def _known(self, organization_id: str, endpoint_id: str, entries: Sequence[Entry]) -> dict[str, Delivery]:
        keys = [(organization_id, endpoint_id, entry.id) for entry in entries]
        return {key[2]: delivery for key, delivery in (await self._store.deliveries(keys)).items()}


def _anew(delivery: Delivery) -> Delivery:
    return delivery.model_copy(
        update={"status": "waiting", "trigger": "replay", "step": 0, "next_at": None, "reason": None}
    )


def _wanted(which: Which, endpoint: Endpoint, entry: Entry, delivery: Delivery | None) -> bool:
    if which == "failed":
        return delivery is not None and delivery.status in {"failed", "cancelled"}
    return delivery is None and entry.summary["type"] in endpoint.event_types


def _check(endpoint: Endpoint) -> None:
    if not endpoint.enabled:
        raise EndpointOff("enable it first")


def _moment(entry: Entry) -> float:
    at = entry.summary["at"]
    return float(at) if isinstance(at, int | float) else 0.0


def _receivers(entry: Entry) -> list[object]:
    receivers = entry.summary["to"]
    return list(receivers) if isinstance(receivers, list) else []
