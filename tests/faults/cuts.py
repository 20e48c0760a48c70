"""Ways to cut a connection, each at another point of what travels over it."""

import asyncio
import random
from collections.abc import Callable

from omnify_local.servers.toxiproxy import Proxy
from omnify_shared.dapr.client import CALL_TIMEOUT

SIZES = (100, 600, 3000)  # bytes: within the greeting of a connection, its first request, or some requests later
Cut = Callable[[Proxy, random.Random], None]


def _close(proxy: Proxy, _: random.Random) -> None:
    proxy.cut()


def _reset(proxy: Proxy, chances: random.Random) -> None:
    proxy.add("reset_peer", timeout=chances.randrange(30))


def _request_stops(proxy: Proxy, chances: random.Random) -> None:
    proxy.add("limit_data", stream="upstream", bytes=chances.randrange(1, chances.choice(SIZES)))


def _answer_stops(proxy: Proxy, chances: random.Random) -> None:
    """The store has done it, and its answer is lost on the way."""
    proxy.add("limit_data", stream="downstream", bytes=chances.randrange(1, chances.choice(SIZES)))


CUTS: tuple[Cut, ...] = (_answer_stops, _reset, _request_stops, _close, _answer_stops)


async def cut_for_a_moment(proxy: Proxy, number: int, chances: random.Random) -> None:
    """One cut after a moment, and its mending a moment later; one in eight outlasts the deadline of a call."""
    await asyncio.sleep(chances.uniform(0, 0.2))
    long = number % 8 == 5
    await asyncio.to_thread(_close if long else CUTS[number % len(CUTS)], proxy, chances)
    await asyncio.sleep(CALL_TIMEOUT + 1.5 if long else chances.uniform(0.05, 0.4))
    await asyncio.to_thread(proxy.heal)
