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

GONE = b'{"v":0,"n":0,"x":0,"d":null,"o":[]}'
"""What lies in a deleted document's place for a while."""


class Versioned(Protocol):
    """What a stored model may declare: its schema version and how older data becomes current.

    `written_as` names the model of the version before while that one is still written (`downgraded()` makes it):
    the first half of a change that older replicas could not read, see docs/decisions/0017.
    """

    schema_version: ClassVar[int]
    written_as: ClassVar[type[BaseModel]]

    @classmethod
    def upgrade(cls, data: dict[str, Any], from_version: int) -> dict[str, Any]: ...

    def downgraded(self) -> BaseModel: ...


def version_of(model: Any) -> int:
    """The schema version of a stored model, 1 unless it says otherwise."""
    return int(getattr(model, "schema_version", 1))


def written_model(model: Any) -> Any:
    """The model whose form is written: the model itself, or the version before it."""
    return getattr(model, "written_as", model)


class UnreadableDocument(RuntimeError):
    """A stored document does not fit its model and can't be upgraded: a defect, never the caller's fault."""


class NewerDocument(UnreadableDocument):
    """A later release wrote the document in a form that this one does not know."""


@dataclass(slots=True)
class Envelope(Generic[M]):
    """An aggregate as read from the store. `unknown` are fields of its data that a later release added: a rewrite
    carries them along."""

    version: int
    data: M
    outbox: list[Wire] = field(default_factory=list)
    expires_at: float | None = None
    unknown: Wire = field(default_factory=dict)


class Codec(Generic[M]):
    """Reads and writes envelopes of one model."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._schema = version_of(model)
        self._adapter: TypeAdapter[M] = TypeAdapter(model)
        written = written_model(model)
        self._older = written is not model
        self._written_schema = version_of(written)
        self._written: TypeAdapter[Any] = TypeAdapter(written)
        self._fields = frozenset(written.model_fields)

    def encode(self, envelope: Envelope[M]) -> bytes:
        """The envelope as JSON bytes."""
        value: Any = envelope.data
        data = self._written.dump_json(value.downgraded() if self._older else value)
        if envelope.unknown:
            data = to_json(envelope.unknown | from_json(data))
        head = b'{"v":%d,"n":%d,"x":%s,"d":' % (self._written_schema, envelope.version, to_json(envelope.expires_at))
        return head + data + b',"o":' + to_json(envelope.outbox) + b"}"

    def decode(self, raw: bytes) -> Envelope[M]:
        """The envelope in JSON bytes. Raises UnreadableDocument."""
        stored = from_json(raw)
        try:
            data, version = stored["d"], stored["v"]
            unknown = self._unknown(data) if version == self._written_schema else {}
            if version != self._schema:
                data = self._upgraded(data, version)
            value = self._adapter.validate_python(data, extra="ignore")
            return Envelope(stored["n"], value, stored.get("o") or [], stored.get("x"), unknown)
        except (ValidationError, KeyError, TypeError) as error:
            raise UnreadableDocument(f"{self._model.__name__}: {error}") from error

    def _unknown(self, data: dict[str, Any]) -> Wire:
        if data.keys() <= self._fields:
            return {}
        return {name: value for name, value in data.items() if name not in self._fields}

    def _upgraded(self, data: dict[str, Any], version: int) -> dict[str, Any]:
        if version > self._schema:
            raise NewerDocument(f"{self._model.__name__}: written as version {version}, read here up to {self._schema}")
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
