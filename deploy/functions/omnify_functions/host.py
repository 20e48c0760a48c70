"""A service's app in a process that lives from call to call: started cold, frozen, thawed, killed at any time.

Its background duties do not run here. A call ends only when what it began is durable: its jobs are done, its events
are with the broker. What a killed process leaves is found by `upkeep`, or by the service where that runs, too.
"""

import asyncio
import importlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from omnify_functions.catalogue import Function

if TYPE_CHECKING:
    from fastapi import FastAPI

CONTACT = 4.0  # seconds to reach the sidecar
PUBLISH = 5.0  # seconds for its events
FROZEN = 5.0  # seconds between two calls after which connections are not trusted any more


class Host:
    """The app of one service, made at the first call and kept for those that follow."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._app: FastAPI | None = None
        self._life = AsyncExitStack()
        self._entering = asyncio.Lock()
        self._calls = 0
        self._ended_at: float | None = None

    @asynccontextmanager
    async def call(self) -> AsyncIterator["FastAPI"]:
        """The app, fit for one call; what the call began has ended when the block is left.

        Raises SidecarUnavailable when Dapr can't be reached: nothing was begun, and the call may be repeated.
        """
        async with self._entering:
            app = await self._fit()
            self._calls += 1
        try:
            yield app
            await self._settle(app)
        finally:
            self._calls -= 1
            self._ended_at = time.time()

    async def _fit(self) -> "FastAPI":
        if self._app is None:
            self._app = await self._built()
        if not self._calls:
            platform = self._app.state.platform
            if not platform.sidecar.in_contact or self._was_frozen():
                await platform.sidecar.contact(CONTACT)
            platform.outbox.begin_call()
        return self._app

    def _was_frozen(self) -> bool:
        # By the wall clock: the other one may stand still as long as the machine does.
        return self._ended_at is None or not 0 <= time.time() - self._ended_at < FROZEN

    async def _built(self) -> "FastAPI":
        """The app with its service object made; it lives as long as the process, as nobody says when that ends."""
        app = app_of(self._function.service)
        platform = app.state.platform
        with platform.tasks.holding_back():
            app.state.service = await self._life.enter_async_context(app.state.build(platform))
            await asyncio.sleep(0)
        return app

    async def _settle(self, app: "FastAPI") -> None:
        platform = app.state.platform
        # Whatever a service begins in the background it can begin again: it is listed durably first.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._function.finish):
                await platform.tasks.finish(platform.outbox.publishing)
        await platform.outbox.end_call(PUBLISH)


def app_of(service: str) -> "FastAPI":
    """A service's app, with the settings of the environment."""
    app: FastAPI = importlib.import_module(f"omnify_{service}.app").create_app()
    return app
