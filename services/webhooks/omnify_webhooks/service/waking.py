"""Endpoints that were down: one delivery at a time shows whether they are back, then the others follow."""

import asyncio
import random
from datetime import timedelta

import structlog

from omnify_shared import clock
from omnify_shared.faults import point, reach
from omnify_webhooks.parking import PAGE, Parking
from omnify_webhooks.service.deliveries import Deliveries
from omnify_webhooks.service.health import Nurse, soon_after
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.wheel import Held, Wheel

log = structlog.get_logger()
HELD = point("webhooks.wake.held")
OFFERED = point("webhooks.wake.offered")

CROWDED = timedelta(seconds=2)  # until a page is looked at again whose lane has no room


class Waker:
    """Looks at the pages of parked deliveries whose time has come."""

    def __init__(
        self,
        settings: WebhooksSettings,
        store: WebhooksStore,
        wheel: Wheel,
        parking: Parking,
        nurse: Nurse,
        deliveries: Deliveries,
    ) -> None:
        self._store = store
        self._wheel = wheel
        self._parking = parking
        self._nurse = nurse
        self._deliveries = deliveries
        self._interval = settings.poll_interval
        self._patience = timedelta(seconds=settings.timeout)

    async def keep_looking(self) -> None:
        """Runs for the life of the process."""
        while True:
            await asyncio.sleep(self._interval * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            try:
                await self._turn()
            except Exception as error:
                log.warning("parked deliveries not looked through", reason=type(error).__name__)

    async def _turn(self) -> None:
        tried: set[str] = set()
        for page in await self._parking.take():
            await self._wake(page, tried)

    async def _wake(self, page: Held, tried: set[str]) -> None:
        slot = page.slot
        if rests_until := await self._nurse.rests_until(slot):
            await self._parking.put_off(page, soon_after(rests_until))
        elif await self._nurse.is_well(slot) or not await self._wanted(page):
            await self._all(page)
        elif slot.endpoint_id in tried:
            await self._parking.put_off(page, clock.now() + self._patience)
        else:
            tried.add(slot.endpoint_id)
            await self._one(page)

    async def _wanted(self, page: Held) -> bool:
        """What waits for an endpoint that is disabled or gone ends at once."""
        endpoint = await self._store.endpoint(page.slot.organization_id, page.slot.endpoint_id, recent=True)
        return endpoint is not None and endpoint.enabled

    async def _one(self, page: Held) -> None:
        first = await self._parking.first(page)
        if first is None:
            return await self._all(page)
        held = await self._wheel.hold(first)
        await self._parking.leave(page, first)
        await self._deliveries.look_at([held])
        await self._parking.put_off(page, clock.now() + self._patience)

    async def _all(self, page: Held) -> None:
        """Each is on the wheel of deliveries before it is off the page: what a crash leaves is there twice at most."""
        if self._deliveries.lanes.room(page.slot.endpoint_id) < PAGE:
            return await self._parking.put_off(page, clock.now() + CROWDED)
        slots = await self._parking.close(page)
        held = await asyncio.gather(*(self._wheel.hold(slot) for slot in slots))
        reach(HELD)
        await self._deliveries.look_at(held)
        reach(OFFERED)
        await self._parking.drop(page)
