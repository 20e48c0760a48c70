"""Refresh tokens: opaque to clients, 256 bits of secret, only digests stored.

`omr1_` + base64url(session id, 16 bytes | secret, 32 | tag, 16). The tag proves that we issued the token before any
document is read, so a made-up token can't end somebody's session as "reused". The successor's secret is an HMAC of
its predecessor's under a key that never leaves the service: whoever repeats the same old token within the grace gets
the same successor, though neither is stored.
"""

import hmac
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import UUID

from omnify_auth.records import Session
from omnify_auth.vault import decode, derive, encode

_PREFIX = "omr1_"
_SECRET = 32
_TAG = 16
_SIZE = 16 + _SECRET + _TAG

Verdict = Literal["rotate", "repeat", "reused", "ended"]


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token in its parts. `text` is what the client holds; `digest` is what the session document holds."""

    session_id: str
    secret: bytes
    text: str

    @property
    def digest(self) -> str:
        return sha256(self.secret).hexdigest()


class RefreshTokens:
    """Makes and reads tokens with the keys derived from one root."""

    def __init__(self, key: bytes) -> None:
        self._tag_key = derive(key, "refresh tag")
        self._next_key = derive(key, "refresh successor")

    def first(self, session_id: str) -> RefreshToken:
        """The random token that starts a chain."""
        return self._token(session_id, os.urandom(_SECRET))

    def successor(self, token: RefreshToken) -> RefreshToken:
        """The one token that can follow `token`."""
        session = UUID(token.session_id).bytes
        return self._token(token.session_id, hmac.digest(self._next_key, session + token.secret, "sha256"))

    def read(self, text: str) -> RefreshToken | None:
        """The parts of a token that we issued; None for anything else."""
        try:
            raw = decode(text.removeprefix(_PREFIX))
        except ValueError:
            return None
        body, tag = raw[:-_TAG], raw[-_TAG:]
        if len(raw) != _SIZE or not hmac.compare_digest(tag, self._tag(body)):
            return None
        token = self._token(str(UUID(bytes=body[:16])), body[16:])
        return token if token.text == text else None

    def _token(self, session_id: str, secret: bytes) -> RefreshToken:
        body = UUID(session_id).bytes + secret
        return RefreshToken(session_id, secret, _PREFIX + encode(body + self._tag(body)))

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._tag_key, body, "sha256")[:_TAG]


def judge(session: Session, digest: str, now: datetime, grace: timedelta) -> Verdict:
    """What presenting a genuine token with this digest means for its session.

    `rotate`: it is the newest; `repeat`: it was exchanged within the grace and its successor is still unused;
    `reused`: a spent one came back (RFC 9700 §4.14.2), the session must end; `ended`: nothing left to do.
    """
    if session.ended_at or now >= session.expires_at or now >= session.idle_expires_at:
        return "ended"
    if hmac.compare_digest(digest, session.digest):
        return "rotate"
    spent = session.spent
    if spent and hmac.compare_digest(digest, spent.digest) and now - spent.at <= grace:
        return "repeat"
    return "reused"
