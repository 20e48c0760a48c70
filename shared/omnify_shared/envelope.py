"""How an aggregate lies in the store: `{"v", "n", "x", "d", "o"}`.

`v` schema version of the data, `n` version of the aggregate (1, 2, …), `x` when it expires (unix seconds or null),
`d` its data, `o` events not yet known to be published. Data and events share one value, so one write commits both.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from omnify_shared import clock

M = TypeVar("M", bound=BaseModel)
Wire = dict[str, JsonValue]


class Versioned(Protocol):
    """What a stored model may declare: its schema version and how older data becomes current."""

    schema_version: ClassVar[int]

    @classmethod
    def upgrade(cls, data: dict[str, Any], from_version: int) -> dict[str, Any]: ...


class UnreadableDocument(RuntimeError):
    """A stored document does not fit its model and can't be upgraded: a defect, never the caller's fault."""


@dataclass(slots=True)
class Envelope(Generic[M]):
    """An aggregate as read from the store."""

    version: int
    data: M
    outbox: list[Wire] = field(default_factory=list)
    expires_at: float | None = None


class Codec(Generic[M]):
    """Reads and writes envelopes of one model."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._schema = int(getattr(model, "schema_version", 1))
        self._adapter: TypeAdapter[M] = TypeAdapter(model)

    def encode(self, envelope: Envelope[M]) -> bytes:
        """The envelope as JSON bytes."""
        data = self._adapter.dump_json(envelope.data)
        head = b'{"v":%d,"n":%d,"x":%s,"d":' % (self._schema, envelope.version, to_json(envelope.expires_at))
        return head + data + b',"o":' + to_json(envelope.outbox) + b"}"

    def decode(self, raw: bytes) -> Envelope[M]:
        """The envelope in JSON bytes. Raises UnreadableDocument."""
        stored = from_json(raw)
        try:
            data = stored["d"]
            if stored["v"] != self._schema:
                data = self._upgraded(data, stored["v"])
            return Envelope(stored["n"], self._adapter.validate_python(data), stored.get("o") or [], stored.get("x"))
        except (ValidationError, KeyError, TypeError) as error:
            raise UnreadableDocument(f"{self._model.__name__}: {error}") from error

    def _upgraded(self, data: dict[str, Any], version: int) -> dict[str, Any]:
        upgrade = getattr(self._model, "upgrade", None)
        if upgrade is None:
            raise UnreadableDocument(f"{self._model.__name__}: no upgrade from schema version {version}")
        upgraded: dict[str, Any] = upgrade(data, version)
        return upgraded


def pending(raw: bytes) -> list[Wire]:
    """The events that wait in a stored envelope, whatever its model."""
    waiting: list[Wire] = from_json(raw).get("o") or []
    return waiting


def remaining(expires_at: float | None) -> timedelta | None:
    """The time to live that a rewrite of the document has to carry; None for one that does not expire."""
    if expires_at is None:
        return None
    return timedelta(seconds=max(1.0, expires_at - clock.now().timestamp()))


def without(raw: bytes, event_ids: Collection[str]) -> tuple[bytes, timedelta | None] | None:
    """The envelope with those events cleared, and its time to live; None when it holds none of them."""
    stored = from_json(raw)
    waiting = stored.get("o") or []
    kept = [event for event in waiting if event["id"] not in event_ids]
    if len(kept) == len(waiting):
        return None
    stored["o"] = kept
    return to_json(stored), remaining(stored.get("x"))
