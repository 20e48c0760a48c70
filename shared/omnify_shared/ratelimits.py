"""Rate limits kept in state, so that every replica counts together."""

import hashlib
from datetime import timedelta

from pydantic import BaseModel

from omnify_shared import clock
from omnify_shared.documents import Documents, Emit
from omnify_shared.problems import TooManyRequests
from omnify_shared.state import StateStore


class _Window(BaseModel):
    started_at: float
    count: int


class RateLimits:
    """Fixed windows that start with the first hit. The key is stored as a hash: it may be an address."""

    def __init__(self, state: StateStore) -> None:
        self._windows = Documents(state, "rate", _Window)

    async def hit(self, name: str, key: str, *, limit: int, window: timedelta) -> None:
        """Counts one use of `name` by `key`. Raises TooManyRequests from the `limit + 1`-th within `window` on."""
        now, seconds = clock.now().timestamp(), window.total_seconds()

        def count(current: _Window, _: Emit) -> _Window:
            if now - current.started_at >= seconds:
                return _Window(started_at=now, count=1)
            if current.count >= limit:
                wait = current.started_at + seconds - now
                raise TooManyRequests(f"at most {limit} per {seconds:g} s", retry_after=wait)
            return _Window(started_at=current.started_at, count=current.count + 1)

        digest = hashlib.sha256(key.encode()).hexdigest()
        start = _Window(started_at=now, count=0)
        await self._windows.upsert(name, digest, initial=lambda: start, change=count, ttl=window + timedelta(minutes=1))
