"""Where an app may have people sent back to: exactly what it registered (RFC 9700 §2.1)."""

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
LONGEST = 512  # characters


def fault(uri: str) -> str | None:
    """What keeps an address from being registered; None when nothing does."""
    if len(uri) > LONGEST or not uri.isascii() or any(char <= " " or char in '\\*"<>' for char in uri):
        return "must be a plain address of at most 512 ASCII characters, without wildcards"
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises for a malformed one
    except ValueError:
        return "is not an address"
    if not parts.hostname or parts.fragment or "#" in uri or parts.username is not None:
        return "must name a host, and no fragment and no user"
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK | {"localhost"}):
        return None
    return "must be https, or http on the loopback interface"


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Whether an address is one of those, to the letter; but a loopback address' port is free (RFC 8252 §7.3)."""
    return any(uri == one or _same_but_for_port(uri, one) for one in registered)


def is_loopback(uri: str) -> bool:
    """Whether an address leads to a program on the user's own device, which anybody there may pose as."""
    return urlsplit(uri).scheme == "http"


def origin(uri: str) -> str:
    """Scheme, host and port, as a Content-Security-Policy names them."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _same_but_for_port(uri: str, registered: str) -> bool:
    known = urlsplit(registered)
    if known.scheme != "http" or known.hostname not in _LOOPBACK or fault(uri):
        return False
    return _portless(urlsplit(uri)) == _portless(known)


def _portless(parts: SplitResult) -> tuple[str, str | None, str, str]:
    return parts.scheme, parts.hostname, parts.path, parts.query
