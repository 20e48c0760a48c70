"""Load that does not wait for answers: so many actions a second, whatever becomes of them."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2 as httpx

DEADLINE = 75.0  # seconds that a caller waits; the gateway's own bound is the lower one
NO_ANSWER = 0


@dataclass
class Answers:
    """Status codes and durations, by the name of what was asked. `0` stands for a connection without an answer."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    improper: list[str] = field(default_factory=list)

    def enter(self, what: str, status: int, seconds: float) -> None:
        """Enter one answer."""
        self.statuses.setdefault(what, Counter())[status] += 1
        self.seconds.setdefault(what, []).append(seconds)

    def slowest(self) -> float:
        """Seconds of the slowest answer of all."""
        return max((max(seconds) for seconds in self.seconds.values()), default=0)

    def p99(self) -> float:
        """Seconds within which 99 of 100 answers came."""
        every = [second for seconds in self.seconds.values() for second in seconds]
        return statistics.quantiles(every, n=100)[98] if len(every) > 1 else sum(every)

    def summary(self) -> str:
        """For a ledger's note: `login 200×31 503×4`."""
        named = (
            f"{what} " + " ".join(f"{status or 'none'}×{count}" for status, count in sorted(counter.items()))
            for what, counter in sorted(self.statuses.items())
        )
        return "; ".join(named)

    def of(self, status: int) -> int:
        """How many answers had a status."""
        return sum(counter[status] for counter in self.statuses.values())


class Caller:
    """An HTTP client of the platform that enters every answer into the books and never raises for one.

    An answer that refuses has to be a problem document; others are noted as improper.
    """

    def __init__(self, url: str, answers: Answers | None = None) -> None:
        limits = httpx.Limits(max_connections=256)
        self._client = httpx.AsyncClient(base_url=url, timeout=DEADLINE, limits=limits)
        self.answers = answers or Answers()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, what: str, method: str, path: str, token: str = "", **options: Any) -> httpx.Response | None:
        """One request; None when no answer came."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        started = time.monotonic()
        try:
            answer = await self._client.request(method, path, headers=headers, **options)
        except httpx.HTTPError:
            self.answers.enter(what, NO_ANSWER, time.monotonic() - started)
            return None
        self.answers.enter(what, answer.status_code, time.monotonic() - started)
        if answer.status_code >= 400 and answer.headers.get("content-type") != "application/problem+json":
            self.answers.improper.append(f"{what}: {answer.status_code} {answer.text[:80]}")
        return answer


class Load(AbstractAsyncContextManager["Load"]):
    """While its block runs, starts `act(number)` `rate` times a second; leaving it waits for what is under way."""

    def __init__(self, rate: float, act: Callable[[int], Awaitable[object]]) -> None:
        self._rate, self._act = rate, act
        self._tasks: list[asyncio.Task[object]] = []
        self._runner: asyncio.Task[None] | None = None

    @property
    def started(self) -> int:
        """How many were started."""
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        begun = time.monotonic()
        while True:
            self._tasks.append(asyncio.create_task(_wrapped(self._act, len(self._tasks))))
            await asyncio.sleep(max(0.0, begun + len(self._tasks) / self._rate - time.monotonic()))

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        self._runner.cancel()
        async with asyncio.timeout(2 * DEADLINE):
            await asyncio.gather(*self._tasks)


async def _wrapped(act: Callable[[int], Awaitable[object]], number: int) -> object:
    return await act(number)
