"""A lane per endpoint, so that one which hangs holds up nobody but itself.

What waits in a lane is on the wheel too: a lane that is full refuses, and what it refuses comes again when its lease is
over. Nothing here is remembered by anybody else, and nothing needs to be.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from omnify_shared.tasks import Tasks

WAITING = 256  # per lane
PATIENCE = 2.0


class Job(Protocol):
    """What runs in a lane."""

    @property
    def lane(self) -> str: ...

    @property
    def name(self) -> str: ...


J = TypeVar("J", bound=Job)


@dataclass
class _Lane(Generic[J]):
    waiting: deque[J] = field(default_factory=deque)
    running: int = 0


class Lanes(Generic[J]):
    """Runs `work` on jobs, `per_lane` at once in each lane and `at_once` in all. What takes longer than `patience`
    seconds is waiting for somebody, and counts no more among all: else a few lanes that hang would stop the others."""

    def __init__(
        self,
        tasks: Tasks,
        work: Callable[[J], Awaitable[None]],
        *,
        per_lane: int,
        at_once: int,
        patience: float = PATIENCE,
    ) -> None:
        self._tasks = tasks
        self._work = work
        self._per_lane = per_lane
        self._patience = patience
        self._gate = asyncio.Semaphore(at_once)
        self._lanes: dict[str, _Lane[J]] = {}
        self.in_hand: set[str] = set()

    def offer(self, job: J) -> bool:
        """Takes a job unless its lane is full or it is in hand already."""
        lane = self._lanes.setdefault(job.lane, _Lane())
        if len(lane.waiting) >= WAITING or job.name in self.in_hand:
            return False
        self.in_hand.add(job.name)
        lane.waiting.append(job)
        if lane.running < self._per_lane:
            lane.running += 1
            self._tasks.spawn(self._run(job.lane, lane), name=f"lane {job.lane}")
        return True

    def room(self, name: str) -> int:
        """How many more a lane takes now."""
        return WAITING - (len(self._lanes[name].waiting) if name in self._lanes else 0)

    async def _run(self, name: str, lane: _Lane[J]) -> None:
        try:
            while lane.waiting:
                job = lane.waiting.popleft()
                try:
                    await self._work_in_turn(job)
                finally:
                    self.in_hand.discard(job.name)
        finally:
            lane.running -= 1
            if not lane.running and not lane.waiting:
                self._lanes.pop(name, None)

    async def _work_in_turn(self, job: J) -> None:
        await self._gate.acquire()
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._gate.release()

        later = asyncio.get_running_loop().call_later(self._patience, leave)
        try:
            await self._work(job)
        finally:
            later.cancel()
            leave()
