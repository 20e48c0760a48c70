"""Recovery codes: 13 characters of base32, 65 random bits each (NIST SP 800-63B-4 §3.1.2 asks 64)."""

import hmac
import secrets

COUNT = 10
LENGTH = 13
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_MISREAD = str.maketrans({"0": "O", "1": "I", "8": "B", " ": None, "-": None})


def new_codes() -> tuple[str, ...]:
    """A set of codes, to be shown once."""
    return tuple("".join(secrets.choice(_ALPHABET) for _ in range(LENGTH)) for _ in range(COUNT))


def digest(code: str, user_id: str, key: bytes) -> str:
    """HMAC-SHA256 (hex) of a code as typed, whatever its case, spaces and hyphens.

    The key is sealed with a secret that the store does not hold, so that 65 bits can't be searched from a copy of it.
    """
    typed = code.upper().translate(_MISREAD)
    return hmac.digest(key, f"{user_id} {typed}".encode(), "sha256").hex()
