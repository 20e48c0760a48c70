"""Lanes: what hangs in one holds up nobody else."""

import asyncio
from dataclasses import dataclass

from omnify_shared.tasks import Tasks
from omnify_webhooks.lanes import Lanes


@dataclass(frozen=True)
class Job:
    lane: str
    name: str


async def test_jobs_that_hang_leave_their_place_among_all_to_other_lanes() -> None:
    tasks, over, answered = Tasks(), asyncio.Event(), asyncio.Event()
    started: list[str] = []

    async def work(job: Job) -> None:
        started.append(job.name)
        await over.wait() if job.lane == "dead" else answered.set()

    lanes: Lanes[Job] = Lanes(tasks, work, per_lane=4, at_once=2, patience=0.05)
    for number in range(6):
        lanes.offer(Job("dead", f"dead-{number}"))
    lanes.offer(Job("well", "well"))
    async with asyncio.timeout(30):
        await answered.wait()
    assert started == ["dead-0", "dead-1", "dead-2", "dead-3", "well"], "a lane has no more than its own share"
    over.set()
    async with asyncio.timeout(30):
        while lanes.in_hand:
            await asyncio.sleep(0.01)
    assert len(started) == 7
