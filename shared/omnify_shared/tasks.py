"""Background work of one process: named, supervised, and stopped with it."""

import asyncio
from collections.abc import Coroutine, Iterator, Set
from contextlib import contextmanager
from typing import Any

import structlog

log = structlog.get_logger()


class Tasks:
    """Keeps references to background tasks, logs those that crash, cancels all at shutdown."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._held_back = False

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Starts `work`; a crash is logged under `name` and does not end the process."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        if self._held_back:
            task.cancel()
        return task

    @contextmanager
    def holding_back(self) -> Iterator[None]:
        """What is spawned in the block never begins: the duties of a process that lives only from call to call."""
        self._held_back = True
        try:
            yield
        finally:
            self._held_back = False

    async def finish(self, besides: Set[asyncio.Task[Any]] = frozenset()) -> None:
        """Waits until nothing runs any more but `besides`. Only for a process without duties, which never end."""
        while left := self._running - besides:
            await asyncio.wait(left)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background task failed", task=task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancels what still runs and waits for it to end."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
