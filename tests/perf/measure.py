"""Timing helpers of the benchmarks: every figure is a ratio of two things measured in one run, in turn."""

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: `ours` against `floor`, in `unit`; `goal` bounds the ratio ours / floor, or is empty."""

    figure: str
    ours: float
    floor: float
    unit: str
    goal: str = ""
    set_name: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.floor if self.floor else float("nan")

    @property
    def met(self) -> bool | None:
        """`goal` reads `<= 1.6` or `>= 0.6`; None without one."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def in_turn(works: Sequence[Callable[[], Awaitable[object]]], count: int, warm: int = 20) -> list[float]:
    """Median milliseconds of each operation, called alternately, so that a drift of the machine hits all."""
    times: list[list[float]] = [[] for _ in works]
    for number in range(warm + count):
        for kept, work in zip(times, works, strict=True):
            started = time.perf_counter()
            await work()
            if number >= warm:
                kept.append((time.perf_counter() - started) * 1000)
    return [statistics.median(kept) for kept in times]
