"""How endpoints answer: one that only fails rests for a while, and after days of that it is disabled.

The record is shared by all replicas and written seldom: at failures until the endpoint rests, at the first success
after them, and once a minute at most while all is well.
"""

import asyncio
import random
from datetime import datetime, timedelta

from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_webhooks.parking import Parking
from omnify_webhooks.records import Health
from omnify_webhooks.sending import Outcome
from omnify_webhooks.service.endpoints import Reason
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.wheel import Slot

NOTED_EVERY = timedelta(minutes=1)


class Nurse:
    """Keeps the record of each endpoint."""

    def __init__(self, settings: WebhooksSettings, store: WebhooksStore, parking: Parking) -> None:
        self._settings = settings
        self._store = store
        self._parking = parking
        self._probing: dict[str, float] = {}

    async def rests_until(self, slot: Slot) -> datetime | None:
        """Until when nothing is to be sent; None when something may be."""
        health = await self._store.health(slot.organization_id, slot.endpoint_id)
        resting = health.rests_until and health.failures >= self._settings.breaker_failures
        return health.rests_until if resting and health.rests_until and health.rests_until > clock.now() else None

    async def is_well(self, slot: Slot) -> bool:
        """Whether an endpoint answers, as far as is known; if not, one delivery has to show that it is back."""
        health = await self._store.health(slot.organization_id, slot.endpoint_id)
        return health.failures < self._settings.breaker_failures

    async def parks_until(self, slot: Slot) -> datetime | None:
        """Until when a delivery waits without an attempt; None when it may be sent at once."""
        if await self.is_well(slot):
            return None
        return soon_after(await self.rests_until(slot) or clock.now())

    async def park(self, slot: Slot, until: datetime) -> None:
        """Has a delivery wait where it costs nothing until its endpoint is back."""
        await self._parking.park(slot, until)

    async def wait_until(self, slot: Slot) -> datetime | None:
        """As `rests_until`, for who is about to send: when a rest is over, one attempt of each replica shows whether
        the endpoint is back, and the others wait for it."""
        if until := await self.rests_until(slot):
            return until
        if await self.is_well(slot):
            return None
        moment = asyncio.get_running_loop().time()
        if moment < self._probing.get(slot.endpoint_id, 0):
            return clock.now() + timedelta(seconds=self._settings.timeout)
        self._probing[slot.endpoint_id] = moment + self._settings.timeout
        return None

    async def note(self, slot: Slot, outcome: Outcome) -> Reason | None:
        """Notes how an attempt ended; gives the reason when the endpoint is to be disabled."""
        key = (slot.organization_id, slot.endpoint_id)
        known = await self._store.health(*key)
        self._probing.pop(slot.endpoint_id, None)
        if outcome.delivered:
            if known.failures or known.delivered_at is None or clock.now() - known.delivered_at > NOTED_EVERY:
                await self._store.change_health(*key, _well)
            return None
        if outcome.gone:
            return "gone"
        health = await self._store.change_health(*key, self._worse)
        return "failing" if self._hopeless(health) else None

    def _worse(self, health: Health, _: Emit) -> Health:
        now, failures = clock.now(), health.failures + 1
        beyond = failures - self._settings.breaker_failures
        rests_until = health.rests_until
        if beyond >= 0 and (rests_until is None or rests_until <= now):
            wait = min(self._settings.breaker_wait * 2 ** min(beyond, 20), self._settings.breaker_longest)
            rests_until = now + timedelta(seconds=wait)
        since = health.failing_since or now
        return health.model_copy(update={"failures": failures, "failing_since": since, "rests_until": rests_until})

    def _hopeless(self, health: Health) -> bool:
        if health.failing_since is None or health.failures < self._settings.breaker_failures:
            return False
        since = max(health.failing_since, health.delivered_at or health.failing_since)
        return clock.now() - since >= timedelta(seconds=self._settings.disable_after)


def soon_after(moment: datetime) -> datetime:
    """Not all at the same moment."""
    return moment + timedelta(seconds=random.uniform(0, 1))  # noqa: S311 - jitter


def _well(_: Health, __: Emit) -> Health:
    return Health(delivered_at=clock.now())
