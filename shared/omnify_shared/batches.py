"""Writes that share a document, committed together: what comes while one write is under way goes with the next.

    lines = Batches(write)            # async def write(key, items)
    await lines.add("page-7", entry)  # returns once the entry is written

A hundred additions a second to one document would else be a hundred conflicts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from omnify_shared.dapr.errors import SidecarUnavailable

T = TypeVar("T")


@dataclass
class _Batch(Generic[T]):
    items: list[T] = field(default_factory=list)
    written: bool = False
    error: Exception | None = None


class Batches(Generic[T]):
    """Group commit per key, within one replica; `write` is what is right among several of them."""

    def __init__(self, write: Callable[[str, list[T]], Awaitable[None]]) -> None:
        self._write = write
        self._next: dict[str, _Batch[T]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def add(self, key: str, item: T) -> None:
        """Returns once `item` is written. Raises what `write` raises."""
        batch = self._next.setdefault(key, _Batch())
        batch.items.append(item)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if not (batch.written or batch.error):
                await self._commit(key, batch)
        if key not in self._next and not lock.locked():
            self._locks.pop(key, None)
        if batch.error:
            raise batch.error

    async def _commit(self, key: str, batch: _Batch[T]) -> None:
        del self._next[key]
        try:
            await self._write(key, batch.items)
            batch.written = True
        except Exception as error:
            batch.error = error
        except BaseException:
            batch.error = SidecarUnavailable("the write was broken off")
            raise
