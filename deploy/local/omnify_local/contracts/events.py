"""JSON Schemas (2020-12) of the published events, and the AsyncAPI 3.0 document that says who sends and who reads."""

from collections.abc import Iterable
from typing import Any

from omnify_local.contracts import examples
from omnify_local.contracts.services import EventType, Service
from omnify_shared.events import topic_of
from omnify_shared.events.model import OPTIONAL

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BASE = "https://omnify.dev/contracts/events/"
Schema = dict[str, Any]

_DELIVERY = """CloudEvents 1.0 between the services, through the Dapr component `pubsub`.

To receive them, your sidecar needs the component and your app-id its topics in `subscriptionScopes`. Your app answers
`GET /dapr/subscribe` with `[{"pubsubname": "pubsub", "topic": "auth-events", "route": "/events", "deadLetterTopic":
"<app-id>-deadletters"}]` and gets each event by a POST to the route: `application/cloudevents+json`, the event as its
schema says, with members that Dapr adds (`topic`, `pubsubname`, `traceid`, …). The header `dapr-api-token` proves your
sidecar. Answer 200 with `{"status": "SUCCESS"}`, `RETRY` or `DROP` (to the dead-letter topic). After `RETRY`, an error
status or no answer within 8 s it comes again, on some brokers without end: count, and answer `DROP` at last.

- At least once: drop duplicates by `source` and `id`, with a record that survives a restart.
- In no order: only Kafka keeps that of a `subject`. `sequence`, a number as text, is the version of the subject: what
  is lower than what you have seen of it is old news.
- Types and fields are added: answer SUCCESS to a type that you don't know, ignore fields that you don't know.
- An event names things by their ids and carries no address, name or token.
"""
_PARTITION_KEY: Schema = {
    "type": "string",
    "description": "The event's `subject`: what concerns one aggregate stays in order.",
}
_ORIGIN: Schema = {
    "authtype": {"type": "string", "description": "Who asked for it: `user`, or an app, a `service_account`."},
    "authid": {"type": "string", "description": "Their id."},
    "authclaims": {"type": "string", "description": "JSON: `amr`, by what they had signed in."},
    "clientnetwork": {"type": "string", "description": "Where the request came from, a /24 or /48."},
}
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 128}


def file_of(event_type: str) -> str:
    """Name of the schema file of an event type."""
    return f"{event_type}.schema.json"


def data_schema(event: EventType) -> Schema:
    """What the producer puts into `data`; fields may be added later, so others are allowed."""
    schema: Schema = opened(event.model_json_schema(mode="serialization"))
    return schema


def reader_schema(event: EventType) -> Schema:
    """What a consumer accepts as `data`."""
    return event.model_json_schema(mode="validation")


def event_schema(event: EventType) -> Schema:
    """The whole CloudEvent as it travels (JSON format of CloudEvents 1.0)."""
    data = data_schema(event)
    definitions = data.pop("$defs", {})
    source = event.event_type.split(".")[1]
    properties: Schema = {
        "specversion": {"const": "1.0"},
        "id": _TEXT | {"description": "Unique per source; a second delivery carries the same one."},
        "source": {"const": source, "description": "The app that publishes it."},
        "type": {"const": event.event_type},
        "subject": {"type": "string", "minLength": 1, "description": "The aggregate's id, also the partition key."},
        "time": {"type": "string", "format": "date-time"},
        "sequence": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The aggregate's version: compare it, as no broker but Kafka keeps an order.",
        },
        "datacontenttype": {"const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
        **_ORIGIN,
        "data": data,
    }
    schema: Schema = {
        "$schema": DIALECT,
        "$id": BASE + file_of(event.event_type),
        "title": event.__name__,
        "description": _text_of(event),
        "type": "object",
        "required": [name for name in properties if name not in OPTIONAL],
        "properties": properties,
    }
    return schema | ({"$defs": definitions} if definitions else {})


def opened(node: Any) -> Any:
    """The schema with every object open to fields that it does not name."""
    if isinstance(node, dict):
        return {
            key: opened(value) for key, value in node.items() if not (key == "additionalProperties" and value is False)
        }
    return [opened(item) for item in node] if isinstance(node, list) else node


def _text_of(event: EventType) -> str:
    return " ".join((event.__doc__ or "").split())


def asyncapi(services: Iterable[Service]) -> Schema:
    """The AsyncAPI 3.0 document: a channel per topic, an operation per app and topic it sends to or receives from."""
    services = list(services)
    published = {event.event_type: event for service in services for event in service.produces}
    channels: dict[str, Schema] = {}
    for event_type in published:
        topic = topic_of(event_type)
        channel = channels.setdefault(topic, {"address": topic, "messages": {}})
        channel["messages"][event_type] = {"$ref": f"#/components/messages/{event_type}"}
    operations: dict[str, Schema] = {}
    for service in services:
        operations |= _operations(service.name, "send", [event.event_type for event in service.produces])
        received = [reader.event_type for reader in service.handles if reader.event_type in published]
        operations |= _operations(service.name, "receive", received)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Omnify events",
            "version": "1",
            "description": _DELIVERY,
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": {event_type: _message(event) for event_type, event in published.items()}},
    }


def _operations(app_id: str, action: str, event_types: list[str]) -> dict[str, Schema]:
    by_topic: dict[str, list[str]] = {}
    for event_type in event_types:
        by_topic.setdefault(topic_of(event_type), []).append(event_type)
    return {
        f"{app_id}.{action}.{topic}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{topic}"},
            "summary": f"{app_id} {'publishes to' if action == 'send' else 'subscribes to'} {topic}",
            "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in sorted(names)],
        }
        for topic, names in sorted(by_topic.items())
    }


def _message(event: EventType) -> Schema:
    return {
        "name": event.event_type,
        "title": event.__name__,
        "summary": _text_of(event),
        "contentType": "application/cloudevents+json",
        "examples": [{"name": "sent", "payload": examples.of(event_schema(event))}],
        "bindings": {"kafka": {"key": _PARTITION_KEY, "bindingVersion": "0.5.0"}},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./events/{file_of(event.event_type)}"},
        },
    }
