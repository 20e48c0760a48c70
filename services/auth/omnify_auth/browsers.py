"""A browser that somebody signed in with: an opaque cookie, of which the digest is stored."""

import secrets
from hashlib import sha256

from omnify_auth.records import Record

COOKIE = "__Host-omnify"


class Browser(Record):
    """The session that a cookie (its key is SHA-256 of it, hex) stands for; it ends with that session."""

    session_id: str
    user_id: str


def new_cookie() -> str:
    """The value of a cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(cookie: str) -> str:
    """Under what a cookie is stored."""
    return sha256(cookie.encode("utf-8", "surrogatepass")).hexdigest()
