"""Background tasks: a crash is logged under its name, a stop ends and awaits them all."""

import asyncio

from structlog.testing import capture_logs

from omnify_shared.tasks import Tasks


async def test_a_stop_cancels_and_waits() -> None:
    tasks, ended = Tasks(), []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append(number)

    for number in range(3):
        tasks.spawn(work(number), name=f"work {number}")
    await asyncio.sleep(0)
    await tasks.close()
    assert sorted(ended) == [0, 1, 2]
    await tasks.close()


async def test_a_crash_is_logged_and_ends_nothing_else() -> None:
    tasks = Tasks()

    async def crash() -> None:
        raise RuntimeError("broken")

    async def go_on() -> str:
        await asyncio.sleep(0.02)
        return "done"

    with capture_logs() as lines:
        tasks.spawn(crash(), name="the one that breaks")
        assert await tasks.spawn(go_on(), name="the other") == "done"
    assert [(line["event"], line["task"]) for line in lines] == [("background task failed", "the one that breaks")]
    await tasks.close()


async def test_what_is_held_back_never_begins_and_the_rest_is_waited_for() -> None:
    tasks, begun = Tasks(), []

    async def work(name: str) -> None:
        begun.append(name)
        await asyncio.sleep(0.01)
        begun.append(f"{name} ended")

    with tasks.holding_back():
        tasks.spawn(work("duty"), name="duty")
        await asyncio.sleep(0)
    tasks.spawn(work("job"), name="job")
    await tasks.finish()
    assert begun == ["job", "job ended"]
