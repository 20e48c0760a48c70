"""Sealed secrets of endpoints and connections: the newest first, older ones for a while beside it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from omnify_shared import clock
from omnify_shared.vault import Vault
from omnify_webhooks.records import Secret

LIVE = 2  # secrets that count at once


class SecretKeeper:
    """Seals and opens; `record` names what a secret belongs to and binds it there."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def seal(self, secret: bytes, record: str) -> Secret:
        """A new secret without an end. Raises KeysUnavailable, SidecarUnavailable."""
        return Secret(sealed=await self._vault.seal(secret, record), made_at=clock.now(), ends_at=None)

    async def open(self, secrets: Sequence[Secret], record: str) -> list[bytes]:
        """Those that count now, newest first."""
        now = clock.now()
        return [await self._vault.open(secret.sealed, record) for secret in secrets if _counts(secret, now)]


def rotated(fresh: Secret, before: Sequence[Secret], overlap: float) -> tuple[Secret, ...]:
    """The secrets once `fresh` is the first: the one before counts for `overlap` seconds more, none older does."""
    now = clock.now()
    ends_at = now + timedelta(seconds=overlap)
    kept = [
        secret.model_copy(update={"ends_at": min(secret.ends_at or ends_at, ends_at)})
        for secret in before
        if _counts(secret, now)
    ]
    return (fresh, *(kept[: LIVE - 1] if overlap > 0 else []))


def _counts(secret: Secret, now: datetime) -> bool:
    return secret.ends_at is None or now < secret.ends_at
