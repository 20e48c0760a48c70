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

    async def hit(self, name: str, key: str, *, limit: int, window: timedelta, count: int = 1) -> None:
        """Counts `count` uses of `name` by `key`, all or none. Raises TooManyRequests beyond `limit` in `window`."""
        now, seconds = clock.now().timestamp(), window.total_seconds()

        def counted(current: _Window, _: Emit) -> _Window:
            if now - current.started_at >= seconds and count <= limit:
                return _Window(started_at=now, count=count)
            if current.count + count > limit:
                wait = max(1.0, current.started_at + seconds - now)
                raise TooManyRequests(f"at most {limit} per {seconds:g} s", retry_after=wait)
            return _Window(started_at=current.started_at, count=current.count + count)

        digest = hashlib.sha256(key.encode()).hexdigest()
        start = _Window(started_at=now, count=0)
        await self._windows.upsert(
            name, digest, initial=lambda: start, change=counted, ttl=window + timedelta(minutes=1)
        )
