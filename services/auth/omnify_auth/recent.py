"""A short memory of what was just read, for answers that are asked for again and again."""

import time
from collections import OrderedDict
from typing import Generic, TypeVar

from pydantic import BaseModel

from omnify_shared.documents import Documents

M = TypeVar("M", bound=BaseModel)
KEPT = 4096  # documents


class Recent(Generic[M]):
    """Documents with a single-part key, at most `max_age` seconds old.

    Each replica remembers for itself: what another one writes is seen `max_age` later, what this one writes after
    `forget`. Never decide on such a value, only show it.
    """

    def __init__(self, documents: Documents[M], max_age: float) -> None:
        self._documents = documents
        self._max_age = max_age
        self._kept: OrderedDict[str, tuple[float, M]] = OrderedDict()

    async def get(self, key: str) -> M | None:
        """The document's value, or None (which is not remembered). Raises SidecarUnavailable."""
        known = self._kept.get(key)
        now = time.monotonic()
        if known is not None and now - known[0] < self._max_age:
            return known[1]
        value = await self._documents.get(key)
        self.forget(key)
        if value is not None:
            self._kept[key] = (now, value)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return value

    def forget(self, key: str) -> None:
        """Makes the next `get` read again."""
        self._kept.pop(key, None)
