"""What verifiers share."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, ClassVar, Protocol

Options = Mapping[str, Any]
LONGEST_NAME = 128  # characters kept of an event's type or id


class Refused(Exception):
    """Not signed with this secret, or not now. Its text is for the log, never for the caller."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came. `url` is the public one; names of headers are in lower case; `tolerance` in seconds."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    now: datetime
    tolerance: float

    def header(self, name: str) -> str:
        """A header's value. Raises Refused when it is missing."""
        value = self.headers.get(name)
        if not value:
            raise Refused(f"no {name}")
        return value

    def check_time(self, moment: float) -> None:
        """Raises Refused for unix seconds that are too old or too early."""
        if not abs(self.now.timestamp() - moment) <= self.tolerance:
            raise Refused("too old, or from the future")

    def json(self) -> Any:
        """The body's value; None for what is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a provider says of its event. Without an id of its own the body's digest stands for it."""

    event_type: str
    event_id: str | None


class Verifier(Protocol):
    """One provider's scheme. `options` are the names it reads, with their defaults and what they may be."""

    options: ClassVar[Mapping[str, tuple[str, ...]]]

    def usable(self, secret: str) -> None:
        """Raises ValueError for what can't be a secret of this provider."""

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """Raises Refused."""

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """Of a request that was verified."""


class SharedSecret:
    """A provider whose secret is a text that both sides know."""

    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    shortest: ClassVar[int] = 8  # characters

    def usable(self, secret: str) -> None:
        """See Verifier."""
        if not (secret.isascii() and secret.isprintable() and len(secret) >= self.shortest):
            raise ValueError(f"the secret must be at least {self.shortest} printable ASCII characters")


def digest(secret: str, *parts: bytes) -> bytes:
    """HMAC-SHA256 of the parts, one after the other."""
    made = hmac.new(secret.encode(), digestmod=sha256)
    for part in parts:
        made.update(part)
    return made.digest()


def same_hex(given: str, wanted: bytes) -> bool:
    """Whether a signature in small hexadecimal letters is the one that is wanted."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.hex().encode())


def same_base64(given: str, wanted: bytes) -> bool:
    """Whether a signature in base64, padded as RFC 4648 §4 has it, is the one that is wanted."""
    return hmac.compare_digest(given.encode(errors="replace"), base64.b64encode(wanted))


def from_base64(text: str) -> bytes:
    """Raises Refused for what is no base64, to the last sign of its padding."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("a signature that is no base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Refused("a signature that is no base64")
    return raw


def number(text: str) -> int:
    """A whole number of at most 20 digits. Raises Refused."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 20):
        raise Refused("a timestamp that is no number")
    return int(text)


def moment(text: str) -> float:
    """Unix seconds of a time in seconds, milliseconds, ISO 8601 or as HTTP writes dates. Raises Refused."""
    if text.isascii() and text.isdecimal() and len(text) <= 20:
        value = int(text)
        return value / 1000 if value > 10**11 else float(value)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            raise Refused("a timestamp that can't be read") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def pairs(text: str) -> list[tuple[str, str]]:
    """`t=1,v1=a,v1=b` as its pairs."""
    return [(name.strip(), value.strip()) for name, _, value in (part.partition("=") for part in text.split(","))]


def named(value: Any, fallback: str = "unknown") -> str:
    """A short text out of a body or a header; `fallback` for anything else."""
    usable = isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()
    return value if usable else fallback


def member(value: Any, name: str) -> Any:
    """A member of a JSON object; None when there is none."""
    return value.get(name) if isinstance(value, dict) else None


def common(items: Any, name: str) -> str:
    """What all objects of a list say under a name, `batch` when they differ."""
    values = {named(member(item, name)) for item in items} if isinstance(items, list) else set()
    return values.pop() if len(values) == 1 else "batch"
