"""Where deliveries wait while their endpoint is down: on pages of its own, each with one entry on a wheel, so that an
endpoint costs the others next to nothing however much it misses.

    parked/<organisation>/<endpoint>/<page>      the messages, filled by one replica

A page is on the wheel from its first write until it was closed and deleted; one that is closed takes nothing more.
"""

from datetime import datetime

from omnify_shared.batches import Batches
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Documents, Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_webhooks.records import Parked
from omnify_webhooks.wheel import Held, Slot, Wheel

WRITTEN = point("webhooks.park.written")

PAGE = 100  # messages
AT_ONCE = 50  # pages looked at in one turn
REMEMBERED = 10_000


class Parking:
    """Parks deliveries, and gives pages whose time has come to one replica. All methods raise SidecarUnavailable."""

    def __init__(self, pages: Documents[Parked], wheel: Wheel) -> None:
        self._pages = pages
        self._wheel = wheel
        self._parking: Batches[tuple[str, datetime]] = Batches(self._park)
        self._filling: dict[str, str] = {}

    async def park(self, slot: Slot, until: datetime) -> None:
        """Has a delivery wait; when no page is being filled, a new one comes up at `until`."""
        await self._parking.add(f"{slot.organization_id}/{slot.endpoint_id}", (slot.message_id, until))

    async def take(self) -> list[Held]:
        """Pages whose time has come, held for this replica: what stands for a message in their slots is the page."""
        return await self._wheel.take(AT_ONCE)

    async def put_off(self, page: Held, until: datetime) -> None:
        """Has a page come up again later."""
        await self._wheel.add(page.slot, until)
        await self._wheel.drop(page)

    async def first(self, page: Held) -> Slot | None:
        """The delivery that has waited longest; None when none waits."""
        parked = await self._pages.get(*page.slot.key)
        return _slot(page, parked.message_ids[0]) if parked and parked.message_ids else None

    async def leave(self, page: Held, one: Slot) -> None:
        """Takes one delivery off a page."""

        def without(parked: Parked, _: Emit) -> Parked:
            kept = tuple(each for each in parked.message_ids if each != one.message_id)
            return parked.model_copy(update={"message_ids": kept})

        await self._pages.update(*page.slot.key, change=without)

    async def close(self, page: Held) -> list[Slot]:
        """All that waits on a page, to which nothing is added from now on."""
        try:
            closed = await self._pages.update(*page.slot.key, change=_closed)
        except Missing:
            return []
        return [_slot(page, each) for each in closed.value.message_ids]

    async def drop(self, page: Held) -> None:
        """Deletes a closed page and takes it off the wheel."""
        await self._pages.delete(*page.slot.key)
        await self._wheel.drop(page)

    async def _park(self, place: str, items: list[tuple[str, datetime]]) -> None:
        left = list(dict.fromkeys(name for name, _ in items))
        if page := self._filling.get(place):
            left = await self._fill(place, page, left)
        while left:
            await self._begin(place, left[:PAGE], max(until for _, until in items))
            left = left[PAGE:]

    async def _fill(self, place: str, page: str, names: list[str]) -> list[str]:
        """Adds what fits on a page; gives what is left."""
        left: list[str] = []

        def more(parked: Parked, _: Emit) -> Parked:
            fresh = [name for name in names if name not in parked.message_ids]
            room = 0 if parked.closed else PAGE - len(parked.message_ids)
            left[:] = fresh[room:]
            return parked.model_copy(update={"message_ids": (*parked.message_ids, *fresh[:room])}) if room else parked

        try:
            await self._pages.update(*place.split("/"), page, change=more)
        except Missing:
            return names
        return left

    async def _begin(self, place: str, names: list[str], until: datetime) -> None:
        """Written before it is on the wheel: who finds nothing on a page takes it off."""
        page, key = new_id(), place.split("/")
        await self._pages.create(*key, page, value=Parked(message_ids=tuple(names)))
        reach(WRITTEN)
        await self._wheel.add(Slot(key[0], key[1], page), until)
        if len(self._filling) >= REMEMBERED:
            self._filling.clear()
        self._filling[place] = page


def _closed(parked: Parked, _: Emit) -> Parked:
    return parked if parked.closed else parked.model_copy(update={"closed": True})


def _slot(page: Held, message_id: str) -> Slot:
    return Slot(page.slot.organization_id, page.slot.endpoint_id, message_id)
