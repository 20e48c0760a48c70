"""Floors that need no sidecar: the cryptography and the data engine themselves."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pandas as pd
from argon2 import PasswordHasher
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from omnify_shared import clock
from omnify_shared.identity import AUDIENCE, ISSUER, Identity
from omnify_shared.ids import new_id
from omnify_shared.jwks import Jwks
from perf.measure import Row, in_turn, percentile

CORES = 2


def argon2(seconds: float) -> tuple[float, float]:
    """Argon2id verifications (19 MiB, t=2, p=1) per second with one thread per core, and CPU seconds of each."""
    hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    digest = hasher.hash("a password of some length")
    started, used = time.perf_counter(), time.process_time()

    def lane(_: int) -> int:
        count = 0
        while time.perf_counter() < started + seconds:
            hasher.verify(digest, "a password of some length")
            count += 1
        return count

    with ThreadPoolExecutor(CORES) as pool:
        count = sum(pool.map(lane, range(CORES)))
    return count / (time.perf_counter() - started), (time.process_time() - used) / count


def pandas_rows_per_second(file: Path) -> tuple[float, int]:
    """Rows per second of the median of five pandas runs that parse and group the same file, and its rows."""
    times, rows = [], 0
    for _ in range(5):
        started = time.perf_counter()
        frame = pd.read_csv(file, sep=r"\s+", header=0, names=["customer", "day", "quantity", "amount"])
        frame["day"] = pd.to_datetime(frame["day"].astype(str), format="%Y%m%d")
        frame.groupby(["day", "customer"])["amount"].agg(["sum", "count"])
        times.append(time.perf_counter() - started)
        rows = len(frame)
    return rows / statistics.median(times), rows


async def token_checks() -> list[Row]:
    """A token's check against a bare ES256 verification: as requests pay it, and the first time (all claims too)."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "k1"}

    async def jwks() -> Jwks:
        return {"keys": [jwk]}

    class NoneRevoked:
        def revoked(self, _: str) -> bool:
            return False

        def outdated(self, *_: object) -> bool:
            return False

    identity = Identity(jwks, NoneRevoked())  # type: ignore[arg-type]
    token = _token(key)
    message, _, encoded = token.rpartition(".")
    raw = jwt.utils.base64url_decode(encoded)
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = key.public_key()

    async def check() -> None:
        await identity.check(token)

    async def recheck() -> None:
        await identity.verify(token)

    async def verify() -> None:
        public.verify(signature, message.encode(), ec.ECDSA(hashes.SHA256()))

    again, floor = await in_turn([recheck, verify], 2000, warm=200)
    first, first_floor = await in_turn([check, verify], 2000, warm=200)
    slowest = percentile([await _milliseconds(identity, _token(key)) for _ in range(2000)], 0.99)
    return [
        Row("token check, as requests pay it", again, floor, "ms", "<= 1.5"),
        Row("token check, first sight of a token", first, first_floor, "ms", "<= 1.5"),
        Row("token check, first sight, p99 / 2 ms", slowest, 2, "ms", "<= 1"),
    ]


async def _milliseconds(identity: Identity, token: str) -> float:
    started = time.perf_counter()
    await identity.verify(token)
    return (time.perf_counter() - started) * 1000


def _token(key: ec.EllipticCurvePrivateKey) -> str:
    now = int(clock.now().timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": new_id(),
        "client_id": "omnify",
        "org": new_id(),
        "sid": new_id(),
        "roles": ["owner"],
        "iat": now,
        "exp": now + 300,
        "jti": new_id(),
    }
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k1", "typ": "at+jwt"})
