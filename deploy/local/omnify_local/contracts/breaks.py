"""What breaks somebody: a change against the released contracts, or a reader that its producer does not satisfy.

Events are kept in brokers, outboxes and dead letters, so old readers meet new events and new readers meet old ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omnify_local.contracts import events
from omnify_local.contracts.fitting import Fit, Side
from omnify_local.contracts.services import EventType, Service
from omnify_shared import erasure, session_events

Document = Mapping[str, Any]
_SHARED_READERS = (session_events.SessionRevoked, session_events.AccessChanged, *erasure.READERS)


def of_events(old: Mapping[str, Document], new: Mapping[str, Document]) -> Iterator[str]:
    """Breaks between released event schemas and those of now, both by event type."""
    for event_type, released in sorted(old.items()):
        if event_type not in new:
            yield f"{event_type}: the type is gone; readers wait for it"
            continue
        before, after = Side(released, released), Side(new[event_type], new[event_type])
        for reason in Fit(lost_in_narrow=True).misfits(before, after):
            yield f"{event_type}: a reader of the released event fails: {reason}"
        for reason in Fit(required=False).misfits(after, before):
            yield f"{event_type}: an event sent before fails: {reason}"


def of_topics(old: Document, new: Document) -> Iterator[str]:
    """Breaks between two AsyncAPI documents: where an event travels, under which key, and who sends it."""
    for name, channel in old.get("channels", {}).items():
        after = new.get("channels", {}).get(name)
        if after is None:
            yield f"topic {name}: is gone"
            continue
        if after["address"] != channel["address"]:
            yield f"topic {name}: its address was {channel['address']}, and is {after['address']}"
        for message in sorted(channel["messages"].keys() - after["messages"].keys()):
            yield f"topic {name}: {message} no longer travels there"
    yield from _messages(*(one.get("components", {}).get("messages", {}) for one in (old, new)))
    for name, operation in old.get("operations", {}).items():
        if operation["action"] == "send" and name not in new.get("operations", {}):
            yield f"operation {name}: nobody sends there any more"


def _messages(old: Document, new: Document) -> Iterator[str]:
    for name in sorted(old.keys() & new.keys()):
        for part in ("contentType", "payload", "headers", "bindings"):
            if old[name].get(part) != new[name].get(part):
                yield f"message {name}: its {part} changed"


def of_readers(services: Iterable[Service], released: Mapping[str, Document]) -> Iterator[str]:
    """Readers whose event nobody publishes, or publishes without what they need."""
    services = list(services)
    published = {event.event_type: event for service in services for event in service.produces}
    for service in services:
        yield from _declarations(service)
        for reader in {one.event_type: one for one in (*service.reads, *service.handles)}.values():
            yield from _reader(service.name, reader, published.get(reader.event_type), released)


def _declarations(service: Service) -> Iterator[str]:
    for event in service.produces:
        if event.event_type.split(".")[1] != service.name:
            yield f"{service.name} publishes {event.event_type}, which carries another service's name"
    declared = {reader.event_type for reader in service.reads}
    handled = {reader.event_type for reader in service.handles if reader not in _SHARED_READERS}
    for event_type in sorted(declared - {reader.event_type for reader in service.handles}):
        yield f"{service.name} declares in READS that it reads {event_type}, and has no handler for it"
    for event_type in sorted(handled - declared):
        yield f"{service.name} handles {event_type}, and does not declare it in READS"


def _reader(
    app_id: str, reader: EventType, producer: EventType | None, released: Mapping[str, Document]
) -> Iterator[str]:
    if producer is None:
        yield f"{app_id} reads {reader.event_type}, which nobody publishes"
        return
    wanted = events.reader_schema(reader)
    promised = {"now": _data(events.event_schema(producer))}
    if reader.event_type in released:
        promised["as released"] = _data(released[reader.event_type])
    for when, data in promised.items():
        for reason in Fit().misfits(Side(wanted, wanted), data, "data"):
            yield f"{app_id} can't read {reader.event_type} ({when}): {reason}"


def _data(schema: Document) -> Side:
    return Side(schema["properties"]["data"], schema)
