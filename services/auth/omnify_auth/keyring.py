"""The signing keys: one document for all replicas, ES256, rotated, sealed, published before they sign."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from omnify_auth.records import Ring, SigningKey
from omnify_auth.settings import CLOCK_LEEWAY, AuthSettings
from omnify_auth.vault import Vault, encode
from omnify_shared import clock
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.documents import Documents, Emit
from omnify_shared.vault import KeysUnavailable

RECORD = "main"
_RELOAD = timedelta(seconds=60)
_TOO_OLD = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When keys are made and dropped. All durations; `published_early` is at least twice the JWKS max-age."""

    rotation: timedelta
    published_early: timedelta
    outlives: timedelta

    @classmethod
    def of(cls, settings: AuthSettings) -> "Schedule":
        return cls(settings.key_rotation, settings.key_published_early, settings.access_token_ttl + CLOCK_LEEWAY)

    def next_start(self, ring: Ring, now: datetime) -> datetime | None:
        """When the key that should be made now is to start signing; None while no new key is due."""
        if not ring.keys:
            return now
        due = ring.keys[-1].signs_from + self.rotation
        return max(due, now + self.published_early) if now >= due - self.published_early else None

    def alive(self, ring: Ring, now: datetime) -> tuple[SigningKey, ...]:
        """The keys whose tokens may still be valid, and those yet to sign."""
        successors = [key.signs_from for key in ring.keys[1:]]
        kept = [key for key, until in zip(ring.keys, successors, strict=False) if until + self.outlives > now]
        return (*kept, *ring.keys[-1:])


def signing(ring: Ring, now: datetime) -> SigningKey:
    """The key that signs now: the newest whose time has come."""
    started = [key for key in ring.keys if key.signs_from <= now]
    return started[-1] if started else ring.keys[0]


def public_jwk(key: SigningKey) -> dict[str, str]:
    """The public part as a JWK (RFC 7517)."""
    return {"kty": "EC", "crv": "P-256", "x": key.x, "y": key.y, "kid": key.kid, "alg": "ES256", "use": "sig"}


async def make_key(vault: Vault, signs_from: datetime) -> SigningKey:
    """A new P-256 key pair; its kid is the JWK thumbprint (RFC 7638)."""
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    x, y = (encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    kid = encode(sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest())
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return SigningKey(kid=kid, x=x, y=y, private=await vault.seal(der, _record(kid)), signs_from=signs_from)


def _record(kid: str) -> str:
    return f"keyring/{RECORD}/{kid}"


class KeyRing:
    """This replica's view of the ring. It reads the document at most once a minute and rotates when that is due.

    Nothing runs in the background: a key is made at the first use after it fell due, and signs only once it has been
    published for `published_early`, so every replica and every verifier knows it by then.
    """

    def __init__(self, documents: Documents[Ring], vault: Vault, schedule: Schedule) -> None:
        self._documents = documents
        self._vault = vault
        self._schedule = schedule
        self._lock = asyncio.Lock()
        self._ring = Ring(keys=())
        self._read_at: datetime | None = None
        self._private: dict[str, ec.EllipticCurvePrivateKey] = {}

    async def signer(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        """The kid and the key to sign with now. Raises KeysUnavailable, SidecarUnavailable."""
        ring = await self.current()
        key = signing(ring, clock.now())
        if key.kid not in self._private:
            self._private[key.kid] = await self._opened(key)
        return key.kid, self._private[key.kid]

    async def jwks(self) -> dict[str, Any]:
        """The published keys as a JWK Set (RFC 7517 §5); one whose tokens are all dead is left out."""
        alive = self._schedule.alive(await self.current(), clock.now())
        return {"keys": [public_jwk(key) for key in alive]}

    async def rotate(self, *, leaked: bool) -> Ring:
        """Makes the next key before its time; one that is published and yet to sign is not made again.

        It signs as late as one that fell due, so nobody notices. With `leaked` it signs at once and every other key is
        withdrawn: this replica follows now, the others and all verifiers within minutes. Raises SidecarUnavailable.
        """
        now = clock.now()
        candidate = await make_key(self._vault, now + self._schedule.published_early)

        def change(ring: Ring, emit: Emit) -> Ring:
            if leaked or not ring.keys:
                return Ring(keys=(candidate.model_copy(update={"signs_from": now}),))
            waiting = ring.keys[-1].signs_from > now
            return ring if waiting else Ring(keys=(*self._schedule.alive(ring, now), candidate))

        async with self._lock:
            stored = await self._documents.upsert(RECORD, initial=lambda: Ring(keys=()), change=change)
            self._take(stored.value, now)
        return stored.value

    async def current(self) -> Ring:
        """The ring, no older than a minute, or ten while the store is down."""
        if self._is_older_than(_RELOAD):
            async with self._lock:
                if self._is_older_than(_RELOAD):
                    await self._reload()
        return self._ring

    def _is_older_than(self, age: timedelta) -> bool:
        return self._read_at is None or clock.now() - self._read_at > age

    async def _reload(self) -> None:
        now = clock.now()
        try:
            ring = await self._documents.get(RECORD) or Ring(keys=())
            if self._schedule.next_start(ring, now) is not None:
                ring = await self._rotated(now)
        except SidecarError:
            if self._is_older_than(_TOO_OLD):
                raise
            return
        self._take(ring, now)

    def _take(self, ring: Ring, now: datetime) -> None:
        self._ring, self._read_at = ring, now
        self._private = {key.kid: self._private[key.kid] for key in ring.keys if key.kid in self._private}

    async def _rotated(self, now: datetime) -> Ring:
        candidate = await make_key(self._vault, now)

        def change(ring: Ring, emit: Emit) -> Ring:
            start = self._schedule.next_start(ring, now)
            if start is None:
                return ring
            added = candidate.model_copy(update={"signs_from": start})
            return Ring(keys=(*self._schedule.alive(ring, now), added))

        stored = await self._documents.upsert(RECORD, initial=lambda: Ring(keys=()), change=change)
        return stored.value

    async def _opened(self, key: SigningKey) -> ec.EllipticCurvePrivateKey:
        private = load_der_private_key(await self._vault.open(key.private, _record(key.kid)), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise KeysUnavailable(f"{_record(key.kid)} is no EC key")
        return private
