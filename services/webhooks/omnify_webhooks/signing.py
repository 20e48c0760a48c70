"""Standard Webhooks: HMAC-SHA256 over `id.timestamp.payload`, `v1`, with secrets `whsec_<base64>`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import os
from collections.abc import Sequence
from hashlib import sha256

PREFIX = "whsec_"
SECRET_BYTES = 32
SHORTEST, LONGEST = 24, 64  # bytes of a secret that the standard allows


def new_secret() -> bytes:
    """32 random bytes."""
    return os.urandom(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as it is handed out."""
    return PREFIX + base64.b64encode(secret).decode()


def parsed(text: str) -> bytes:
    """The bytes of a secret as it is handed out. Raises ValueError."""
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if not SHORTEST <= len(secret) <= LONGEST:
        raise ValueError(f"not {SHORTEST} to {LONGEST} bytes")
    return secret


def signature(secret: bytes, message_id: str, timestamp: int, payload: bytes) -> str:
    """One `v1` signature."""
    signed = f"{message_id}.{timestamp}.".encode() + payload
    return "v1," + base64.b64encode(hmac.digest(secret, signed, sha256)).decode()


def headers(secrets: Sequence[bytes], message_id: str, timestamp: int, payload: bytes) -> dict[str, str]:
    """The three headers; during a rotation there are two signatures."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, payload) for secret in secrets),
    }
