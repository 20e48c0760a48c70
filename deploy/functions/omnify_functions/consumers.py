"""Hands events to a service as its sidecar would: to the handler, and what can never be handled to the dead letters."""

import asyncio
from collections.abc import Sequence
from typing import Any

from omnify_functions.host import Host

AT_ONCE = 10


class Consumer:
    """The subscriptions of one service, for a cloud that delivers the events."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def take(self, events: Sequence[Any]) -> list[bool]:
        """For each event whether it is done; one that is not has to be delivered again.

        Raises SidecarUnavailable when Dapr can't be reached: none is done.
        """
        gate = asyncio.Semaphore(AT_ONCE)
        async with self._host.call() as app:

            async def take(event: Any) -> bool:
                async with gate:
                    return await _taken(app, event)

            return list(await asyncio.gather(*(asyncio.create_task(take(event)) for event in events)))


async def _taken(app: Any, event: Any) -> bool:
    answer, _ = await app.state.dispatcher.dispatch(event, app.state.service)
    if answer != "DROP":
        return bool(answer == "SUCCESS")
    try:
        await app.state.dead_letters.keep(event)
    except Exception:
        return False
    return True
