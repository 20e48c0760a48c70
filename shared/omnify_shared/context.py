"""What belongs to the request in hand: its id, its trace (W3C Trace Context), and who sent it from where."""

import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal

_REQUEST_ID = re.compile(r"(?!eyJ)[A-Za-z0-9._-]{1,64}")  # a JWT begins with eyJ
_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, once the token was verified: their id, and by what they signed in (RFC 8176)."""

    kind: Literal["user", "service_account"]
    id: str
    amr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Ids that travel along with a request, an event or a background job."""

    request_id: str
    traceparent: str
    authorization: str | None = None
    forwarded_for: str | None = None
    """Where it came from, as the header of that name says."""
    caller: Caller | None = None


def new_traceparent() -> str:
    """A fresh trace parent (https://www.w3.org/TR/trace-context/#traceparent-header).

    It is sampled only where spans go somewhere: sidecars would make and drop a span for every sampled call.
    """
    flags = "01" if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") else "00"
    return f"00-{random.getrandbits(128) or 1:032x}-{random.getrandbits(64) or 1:016x}-{flags}"


def valid_traceparent(value: str | None) -> str | None:
    """`value` when it is a well-formed trace parent; a malformed one could harm what reads it downstream."""
    return value if value and _TRACEPARENT.match(value) else None


def usable_request_id(value: str | None) -> str | None:
    """`value` when it is short and plain: it stands in every log line, so it must hold no address and no token."""
    return value if value and _REQUEST_ID.fullmatch(value) else None


_context: ContextVar[RequestContext | None] = ContextVar("omnify_request", default=None)


def current() -> RequestContext:
    """The context of this task; outside a request an empty one with a fresh trace."""
    return _context.get() or RequestContext(request_id="-", traceparent=new_traceparent())


def current_traceparent() -> str | None:
    """The trace parent of the request in hand, None outside one."""
    context = _context.get()
    return context.traceparent if context else None


def enter(context: RequestContext) -> None:
    """Binds the context to this task and to the tasks that it starts."""
    _context.set(context)


def called_by(caller: Caller) -> None:
    """Notes who sent the request in hand."""
    _context.set(replace(current(), caller=caller))


@contextmanager
def entered(context: RequestContext) -> Iterator[None]:
    """Binds the context for a block."""
    token = _context.set(context)
    try:
        yield
    finally:
        _context.reset(token)
