"""Authorization codes (RFC 6749 §4.1.2): 256 random bits, stored as SHA-256, good once and for a minute."""

import hmac
import re
import secrets
from datetime import datetime
from hashlib import sha256

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from omnify_auth.records import Record

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class AuthorizationCode(Record):
    """What a code was given for: to whom, by whom, and where the app's session will stand."""

    client_id: str
    user_id: str
    redirect_uri: str
    code_challenge: str
    nonce: str | None
    scope: tuple[str, ...]
    parent_id: str
    """The sign-in that it was given in."""
    session_id: str
    """Of the app's session that it will begin."""
    expires_at: datetime
    used_at: datetime | None
    replayed_at: datetime | None


def new_code() -> str:
    """A code that nobody can guess."""
    return secrets.token_urlsafe(32)


def digest(code: str) -> str:
    """Under what a code is stored."""
    return sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def is_challenge(text: str) -> bool:
    """Whether a text is the SHA-256 of a verifier as RFC 7636 §4.2 writes it."""
    return _CHALLENGE.fullmatch(text) is not None


def proves(verifier: str, challenge: str) -> bool:
    """Whether a verifier is the one that a challenge was made of (S256, RFC 7636 §4.6)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    return hmac.compare_digest(create_s256_code_challenge(verifier), challenge)
