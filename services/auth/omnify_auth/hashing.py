"""Hashing passwords: a pepper, then Argon2id, in threads, never more at once than there are cores."""

import asyncio
import hmac
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from omnify_auth.errors import HashingBusy
from omnify_auth.passwords import normalized
from omnify_auth.records import PasswordHash
from omnify_auth.settings import AuthSettings
from omnify_auth.vault import Vault

T = TypeVar("T")


class HashPool:
    """Runs `workers` hashes at once and lets `queue` more wait; refuses the rest, so that waits stay short."""

    def __init__(self, workers: int, queue: int) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._places = threading.BoundedSemaphore(workers + queue)

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`. Raises HashingBusy at once when every place is taken."""
        if not self._places.acquire(blocking=False):
            raise HashingBusy
        try:
            future = self._threads.submit(work)
        except BaseException:
            self._places.release()
            raise
        future.add_done_callback(self._free)
        return await asyncio.wrap_future(future)

    def _free(self, _: "Future[T]") -> None:
        self._places.release()

    def close(self) -> None:
        """Stops the threads once what runs is done."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class Hasher:
    """Hashes and verifies passwords at one cost; an unknown user costs the same as a known one."""

    def __init__(self, settings: AuthSettings, vault: Vault) -> None:
        self._argon2 = PasswordHasher(
            time_cost=settings.hash_time_cost, memory_cost=settings.hash_memory_kib, parallelism=1, type=Type.ID
        )
        self._vault = vault
        self._pool = HashPool(settings.hash_workers, settings.hash_queue)
        self._nobody = self._argon2.hash("nobody has this password")

    async def hash(self, password: str) -> PasswordHash:
        """The password's hash under the current pepper. Raises HashingBusy, KeysUnavailable."""
        peppers = await self._vault.peppers()
        version = max(peppers)
        keyed = _keyed(password, peppers[version])
        return PasswordHash(encoded=await self._pool.run(lambda: self._argon2.hash(keyed)), pepper=version)

    async def verify(self, password: str, stored: PasswordHash | None) -> bool:
        """Whether the password is the stored one; None (no such user) costs the same and is False."""
        peppers = await self._vault.peppers()
        pepper = peppers.get(stored.pepper) if stored else None
        encoded = stored.encoded if stored and pepper else self._nobody
        keyed = _keyed(password, pepper or peppers[max(peppers)])
        matches = await self._pool.run(lambda: self._matches(encoded, keyed))
        return matches and pepper is not None

    async def is_outdated(self, stored: PasswordHash) -> bool:
        """Whether the hash should be made anew at this sign-in: other costs, or an older pepper."""
        return stored.pepper != max(await self._vault.peppers()) or self._argon2.check_needs_rehash(stored.encoded)

    def close(self) -> None:
        self._pool.close()

    def _matches(self, encoded: str, keyed: bytes) -> bool:
        try:
            return self._argon2.verify(encoded, keyed)
        except (VerificationError, InvalidHashError):
            return False


def _keyed(password: str, pepper: bytes) -> bytes:
    return hmac.digest(pepper, normalized(password).encode(), "sha256")
