"""What breaks somebody: a change against the released contracts, or a reader that its producer does not satisfy.

Events are kept in brokers, outboxes and dead letters, so old readers meet new events and new readers meet old ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omnify_local.contracts import events
from omnify_local.contracts.fitting import Fit, Side
from omnify_local.contracts.services import EventType, Service
from omnify_shared import session_events

Document = Mapping[str, Any]
_SHARED_READERS = (session_events.SessionRevoked,)


def of_events(old: Mapping[str, Document], new: Mapping[str, Document]) -> Iterator[str]:
    """Breaks between released event schemas and those of now, both by event type."""
    for event_type, released in sorted(old.items()):
        if event_type not in new:
            yield f"{event_type}: the type is gone; readers wait for it"
            continue
        before, after = _data(released), _data(new[event_type])
        for reason in Fit(lost_in_narrow=True).misfits(before, after, "data"):
            yield f"{event_type}: a reader of the released event fails: {reason}"
        for reason in Fit(required=False).misfits(after, before, "data"):
            yield f"{event_type}: an event sent before fails: {reason}"


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


def of_api(service: str, old: Document, new: Document) -> Iterator[str]:
    """Breaks between two OpenAPI documents of a service, as its callers see them."""
    for path, item in old.get("paths", {}).items():
        for method, operation in item.items():
            name = f"{service} {method.upper()} {path}"
            changed = new.get("paths", {}).get(path, {}).get(method)
            if changed is None:
                yield f"{name}: the route is gone"
                continue
            for reason in _operation(Side(operation, old), Side(changed, new)):
                yield f"{name}: {reason}"


def _operation(old: Side, new: Side) -> Iterator[str]:
    yield from _parameters(old, new)
    yield from _request(old, new)
    for status, answer in old.node.get("responses", {}).items():
        if not status.startswith("2"):
            continue
        changed = new.node.get("responses", {}).get(status)
        if changed is None:
            yield f"status {status} is gone"
            continue
        for media_type, content in answer.get("content", {}).items():
            if media_type not in changed.get("content", {}):
                yield f"status {status}: {media_type} is gone"
                continue
            after = changed["content"][media_type].get("schema", {})
            fit = Fit(lost_in_narrow=True)
            yield from fit.misfits(old.at(content.get("schema", {})), new.at(after), f"answer {status}")


def _parameters(old: Side, new: Side) -> Iterator[str]:
    before, after = ({(one["in"], one["name"]): one for one in side.node.get("parameters", [])} for side in (old, new))
    for key, parameter in before.items():
        place = f"{key[0]} parameter {key[1]}"
        if key not in after:
            yield f"{place} is gone"
        else:
            yield from Fit().misfits(new.at(after[key].get("schema", {})), old.at(parameter.get("schema", {})), place)
    for key, parameter in after.items():
        was_required = before.get(key, {}).get("required", False)
        if parameter.get("required", False) and not was_required:
            yield f"{key[0]} parameter {key[1]} is required now"


def _request(old: Side, new: Side) -> Iterator[str]:
    before, after = old.node.get("requestBody", {}), new.node.get("requestBody", {})
    if after.get("required", False) and not before.get("required", False):
        yield "a body is required now"
    for media_type, content in before.get("content", {}).items():
        if media_type not in after.get("content", {}):
            yield f"a body of {media_type} is no longer taken"
            continue
        taken = new.at(after["content"][media_type].get("schema", {}))
        yield from Fit(lost_in_wide=True).misfits(taken, old.at(content.get("schema", {})), "body")
