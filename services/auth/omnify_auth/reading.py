"""Reads of many requests at once, gathered into bulk reads."""

import asyncio
from collections.abc import Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel

from omnify_shared.dapr.errors import SidecarError
from omnify_shared.documents import Documents

M = TypeVar("M", bound=BaseModel)
Waiting = dict[str, "asyncio.Future[M | None]"]


class Reader(Generic[M]):
    """Reads documents with a single-part key, each as fresh as a read of its own.

    Alone a reader reads at once. Whoever comes while a read is under way waits for its end and then shares one bulk
    read with all who wait, so that under load the cost of a call to the sidecar is shared.
    """

    def __init__(self, documents: Documents[M]) -> None:
        self._documents = documents
        self._waiting: Waiting[M] = {}
        self._busy = False
        self._gathering: asyncio.Task[None] | None = None

    async def get(self, key: str) -> M | None:
        """The document's value, or None. Raises SidecarUnavailable."""
        if self._busy:
            return await asyncio.shield(self._turn(key))
        self._busy = True
        try:
            return await self._documents.get(key)
        finally:
            self._busy = bool(self._waiting)
            if self._busy:
                self._gathering = asyncio.create_task(self._serve(), name=f"reads of {self._documents.kind}")

    def _turn(self, key: str) -> "asyncio.Future[M | None]":
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        return future

    async def _serve(self) -> None:
        batch: Waiting[M] = {}
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                await self._read(batch)
        finally:
            self._busy = False
            for future in (*batch.values(), *self._waiting.values()):
                future.cancel()

    async def _read(self, batch: Mapping[str, "asyncio.Future[M | None]"]) -> None:
        try:
            found = await self._documents.get_many((key,) for key in batch)
        except SidecarError as error:
            for future in batch.values():
                _fail(future, error)
        except Exception:
            # One document can't be read: the others' readers must not suffer for it.
            for key, future in batch.items():
                await self._read_one(key, future)
        else:
            for key, future in batch.items():
                future.set_result(found.get((key,)))

    async def _read_one(self, key: str, future: "asyncio.Future[M | None]") -> None:
        try:
            future.set_result(await self._documents.get(key))
        except Exception as error:
            _fail(future, error)


def _fail(future: "asyncio.Future[M | None]", error: Exception) -> None:
    future.set_exception(error)
    future.exception()  # marks it as seen: its waiter may have gone
