"""CloudEvents 1.0 (https://cloudevents.io) with typed data.

`type` is `omnify.<service>.<noun>.<verb>.v<n>`, `source` the app-id, `subject` the aggregate's id (also the partition
key), `sequence` the aggregate's version: no broker but Kafka keeps an order, so consumers compare versions instead.
`authtype`, `authid` and `authclaims` say who asked for what happened (the extension "Auth Context"), `clientnetwork`
from which /24 or /48.
"""

import json
import re
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_json

from omnify_shared import clock
from omnify_shared.context import current
from omnify_shared.ids import new_id
from omnify_shared.networks import client_address, network_of
from omnify_shared.problems import PayloadTooLarge

OPTIONAL = ("traceparent", "authtype", "authid", "authclaims", "clientnetwork")
LARGEST = 64 * 1024  # bytes on the wire that every intermediary has to forward (CloudEvents 1.0, "Size Limits")

_TYPE = re.compile(r"^omnify\.([a-z]+)\.[a-z_]+\.[a-z_]+\.v\d+$")
_APART: dict[str, str] = {}  # topics by event type, where they are not the service's


class EventData(BaseModel):
    """Data of one event type: `class UserRegistered(EventData, type="omnify.auth.user.registered.v1")`.

    The producer's class is the published contract. A consumer declares its own reader of the same type with the
    fields it needs; unknown fields are ignored, so that producers may add some. `topic` is for types so frequent that
    nobody should get them who does not ask for them; producer and consumers have to name the same.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    event_type: ClassVar[str] = ""

    def __init_subclass__(cls, *, type: str = "", topic: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not _TYPE.match(type):
            raise TypeError(f"{cls.__name__}: {type!r} is not of the form omnify.<service>.<noun>.<verb>.v<n>")
        cls.event_type = type
        if topic and _APART.setdefault(type, topic) != topic:
            raise TypeError(f"{cls.__name__}: {type} is on {_APART[type]}, not on {topic}")


E = TypeVar("E", bound=EventData)


def topic_of(event_type: str) -> str:
    """The topic that carries an event type: `<service>-events`, unless its class names another."""
    return _APART.get(event_type) or f"{event_type.split('.')[1]}-events"


class CloudEvent(BaseModel, Generic[E]):
    """One event as stored in the outbox and sent over the wire (JSON format of CloudEvents 1.0)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(min_length=1, max_length=128)
    source: str = Field(min_length=1, max_length=128)
    type: str
    subject: str
    time: datetime
    sequence: int = Field(ge=0)
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    traceparent: str | None = None
    authtype: str | None = None
    authid: str | None = None
    authclaims: str | None = None
    clientnetwork: str | None = None
    data: E

    @classmethod
    def of(cls, data: E, *, source: str, subject: str, sequence: int) -> Self:
        """A new event about version `sequence` of the aggregate `subject`, in the trace of the request in hand."""
        request = current()
        caller = request.caller
        return cls(
            id=new_id(),
            source=source,
            type=data.event_type,
            subject=subject,
            time=clock.now(),
            sequence=sequence,
            traceparent=request.traceparent,
            authtype=caller.kind if caller else None,
            authid=caller.id if caller else None,
            authclaims=json.dumps({"amr": caller.amr}) if caller and caller.amr else None,
            clientnetwork=network_of(client_address(request.forwarded_for)),
            data=data,
        )

    def wire(self) -> dict[str, JsonValue]:
        """The event as a JSON object; `sequence` travels as a string, as its extension asks for.

        Raises PayloadTooLarge for one of over LARGEST bytes: a broker that refuses it would do so for ever, and the
        aggregate that it is written with would never be rid of it.
        """
        body = self.model_dump(mode="json", serialize_as_any=True)
        for name in OPTIONAL:
            if body[name] is None:
                del body[name]
        wire = body | {"sequence": str(self.sequence)}
        if (size := len(to_json(wire))) > LARGEST:
            raise PayloadTooLarge(f"this change makes an event {self.type} of {size} bytes; at most {LARGEST} are sent")
        return wire
