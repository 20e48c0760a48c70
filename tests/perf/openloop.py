"""Requests at a fixed rate, whether or not the ones before were answered, as they come from people."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp

from perf.accounts import AGENT

NEVER = 60_000.0  # milliseconds
Send = Callable[[aiohttp.ClientSession, int], Awaitable[bool]]


async def latencies(url: str, rate: float, seconds: float, send: Send) -> list[float]:
    """Milliseconds from when each request was due to its answer, `rate` a second for so long.

    What a slow answer holds up is counted with what it held up. `send(session, number)` says whether the answer was
    good; one that was not took NEVER.
    """
    timeout = aiohttp.ClientTimeout(total=NEVER / 1000)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=AGENT, timeout=timeout, connector=connector) as session:
        begun = time.perf_counter()

        async def one(number: int) -> float:
            due = begun + number / rate
            await asyncio.sleep(due - time.perf_counter())
            good = await send(session, number)
            return (time.perf_counter() - due) * 1000 if good else NEVER

        return list(await asyncio.gather(*(one(number) for number in range(int(rate * seconds)))))
