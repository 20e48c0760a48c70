"""Hands events to the broker, until it takes them; counts and traces that."""

import asyncio
import random

from opentelemetry.trace import SpanKind
from pydantic_core import to_json

from omnify_shared.context import valid_traceparent
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.envelope import Wire
from omnify_shared.events.metrics import EventMetrics
from omnify_shared.events.model import topic_of
from omnify_shared.tracing import Tracing, traceparent_of

PUBSUB = "pubsub"
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds between tries


class Publisher:
    """Publishes the stored events of one app."""

    def __init__(self, sidecar: Sidecar, tracing: Tracing, metrics: EventMetrics) -> None:
        self._sidecar = sidecar
        self._tracing = tracing
        self._metrics = metrics

    async def publish_until_taken(self, event: Wire) -> None:
        """Tries until the broker has the event."""
        delay = FIRST_WAIT
        while True:
            try:
                await self._publish_in_its_trace(event)
                return self._metrics.published(str(event["type"]))
            except SidecarError:
                self._metrics.publish_failed()
                await asyncio.sleep(delay * (0.5 + random.random()))  # noqa: S311 - jitter
                delay = min(delay * 2, LONGEST_WAIT)

    async def _publish_in_its_trace(self, event: Wire) -> None:
        """The publication is a child of the request that made the event, however much later; the span goes along as
        the parent of what consumers do."""
        made_in = valid_traceparent(str(event.get("traceparent")))
        if not self._tracing.exporting or made_in is None:
            return await self.publish(event)
        topic = topic_of(str(event["type"]))
        attributes = messaging_attributes("send", topic, str(event["id"]), str(event["type"]))
        with self._tracing.span(f"send {topic}", SpanKind.PRODUCER, attributes, parent=made_in) as span:
            await self.publish({**event, "traceparent": traceparent_of(span)})

    async def publish(self, event: Wire, *, topic: str | None = None) -> None:
        """One try. Raises SidecarError; a returned call means the broker has the event."""
        await self._sidecar.call(
            self._sidecar.client.publish_event(
                PUBSUB,
                topic or topic_of(str(event["type"])),
                to_json(event),
                publish_metadata={"partitionKey": str(event["subject"])},
                data_content_type="application/cloudevents+json",
            )
        )


def messaging_attributes(operation: str, topic: str, event_id: str, event_type: str) -> dict[str, str | int]:
    """Attributes of a span that sends or processes an event
    (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/)."""
    return {
        "messaging.system": "dapr",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.message.id": event_id,
        "cloudevents.event_type": event_type,
    }
