"""Subscriptions of an app: from a delivered CloudEvent to a typed handler, and one of Dapr's three answers.

A handler ends in SUCCESS; `Poison` in DROP, which sends the event to the dead-letter topic at once; any other
exception in RETRY, and in DROP when it was the last of TRIES. The app counts, not the sidecar: a delivery that never
reached it is no try, so an app may be away for any time. Nothing else is ever answered: any other status would be
retried for ever, FastAPI's own 422 included, so bodies are parsed here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import structlog
from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from omnify_shared.context import RequestContext, current, enter, new_traceparent, valid_traceparent
from omnify_shared.events.inbox import Busy, Inbox
from omnify_shared.events.metrics import OTHER, EventMetrics
from omnify_shared.events.model import CloudEvent, EventData, topic_of
from omnify_shared.events.publisher import messaging_attributes
from omnify_shared.faults import point, reach
from omnify_shared.tracing import Tracing, failed, same_trace

log = structlog.get_logger()

Dedupe = Literal["inbox", "effect"]
Answer = Literal["SUCCESS", "RETRY", "DROP"]
Handler = Callable[[CloudEvent[Any], Any], Awaitable[None]]
H = TypeVar("H", bound=Callable[..., Awaitable[None]])
HANDLED = point("inbox.event.handled")

MAX_REASON = 500  # characters
NO_EVENT = "not a CloudEvent with id, source and type"
TRIES = 6
HANDLE_TIMEOUT = 7.0  # seconds, less than the sidecar's own (resiliency.yaml), so that a handler that hangs is a try


class Poison(Exception):
    """This event can never be handled; its text is the reason kept with the dead letter."""


@dataclass(frozen=True)
class Subscription:
    """One event type that an app handles, how it drops duplicates, and with what."""

    reader: type[EventData]
    dedupe: Dedupe
    handler: Handler

    @property
    def topic(self) -> str:
        return topic_of(self.reader.event_type)


class Subscriptions:
    """The event types that an app handles, at most one handler each."""

    def __init__(self, app_id: str) -> None:
        self.app_id = app_id
        self.by_type: dict[str, Subscription] = {}

    @property
    def topics(self) -> list[str]:
        """The topics to subscribe to."""
        return sorted({subscription.topic for subscription in self.by_type.values()})

    @property
    def dead_letter_topic(self) -> str:
        """Where the sidecar puts what this app could not handle."""
        return f"{self.app_id}-deadletters"

    def on(self, reader: type[EventData], *, dedupe: Dedupe) -> Callable[[H], H]:
        """Registers a handler `async def (event: CloudEvent[reader], service) -> None`.

        `dedupe="inbox"` keeps a durable record per event and hands each over once (again after a crash in between);
        `"effect"` keeps none: the handler's own effect is conditional, so repeating it changes nothing.
        """

        def register(handler: H) -> H:
            if reader.event_type in self.by_type:
                raise ValueError(f"{reader.event_type} has a handler already")
            self.by_type[reader.event_type] = Subscription(reader, dedupe, handler)
            return handler

        return register


class Dispatcher:
    """Runs the handlers of one app against its inbox."""

    def __init__(self, subscriptions: Subscriptions, inbox: Inbox, tracing: Tracing, metrics: EventMetrics) -> None:
        self._subscriptions = subscriptions
        self._inbox = inbox
        self._tracing = tracing
        self._metrics = metrics
        metrics.expect([*subscriptions.by_type, OTHER])

    async def dispatch(self, body: Any, service: Any) -> tuple[Answer, str | None]:
        """Handles one delivered event. Returns Dapr's answer, and the reason unless it is SUCCESS."""
        identity = identity_of(body)
        if identity is None:
            self._metrics.handled(OTHER, "drop")
            return "DROP", NO_EVENT
        source, event_id, event_type = identity
        subscription = self._subscriptions.by_type.get(event_type)
        if subscription is None:
            self._metrics.handled(OTHER, "ignored")
            return "SUCCESS", None
        delivered = current().traceparent
        made_in = valid_traceparent(body.get("traceparent")) or new_traceparent()
        # A delivery stands in the event's own trace, below the sidecar's span; a replay of a dead letter does not.
        parent = delivered if same_trace(delivered, made_in) else made_in
        enter(RequestContext(request_id=event_id, traceparent=parent))
        attributes = messaging_attributes("process", subscription.topic, event_id, event_type)
        name = f"process {subscription.topic}"
        with self._tracing.span(name, SpanKind.CONSUMER, attributes, link=made_in) as span:
            answer, reason, outcome, made_at = await self._outcome(subscription, source, event_id, body, service)
            if answer != "SUCCESS":
                failed(span, outcome)
        self._metrics.handled(event_type, outcome, made_at)
        return answer, reason

    async def _outcome(
        self, subscription: Subscription, source: str, event_id: str, body: Any, service: Any
    ) -> tuple[Answer, str | None, str, datetime | None]:
        """The answer, its reason, what to count, and the event's time when it was handled."""
        try:
            event = _parse(subscription.reader, body)
        except ValidationError as error:
            answer, reason = await self._failed("DROP", source, event_id, _validation_reason(error))
            return answer, reason, answer.lower(), None
        handled = await self._handle(subscription, event, service)
        if handled is None:
            return "SUCCESS", None, "duplicate", None
        answer, reason = handled
        return answer, reason, answer.lower(), event.time if answer == "SUCCESS" else None

    async def _handle(
        self, subscription: Subscription, event: CloudEvent[Any], service: Any
    ) -> tuple[Answer, str | None] | None:
        """The answer and its reason; None for an event that was handled before."""
        recorded = subscription.dedupe == "inbox"
        try:
            if recorded and not await self._inbox.begin(event.source, event.id):
                return None
        except Busy:
            return "RETRY", "another delivery of this event is being handled"
        except Exception as error:
            return "RETRY", _reason(error)
        try:
            async with asyncio.timeout(HANDLE_TIMEOUT):
                await subscription.handler(event, service)
            reach(HANDLED)
            if recorded:
                await self._inbox.done(event.source, event.id)
            return "SUCCESS", None
        except Poison as poison:
            return await self._failed("DROP", event.source, event.id, str(poison))
        except Exception as error:
            log.warning("event handler failed", event_type=event.type, event_id=event.id, exc_info=error)
            return await self._failed("RETRY", event.source, event.id, _reason(error))

    async def _failed(self, answer: Answer, source: str, event_id: str, reason: str) -> tuple[Answer, str | None]:
        log.warning("event not handled", answer=answer, event_id=event_id, reason=reason[:MAX_REASON])
        try:
            tries = await self._inbox.failed(source, event_id, reason[:MAX_REASON])
        except Exception as error:
            log.warning("reason not recorded, so not dropped", event_id=event_id, error=_reason(error))
            return "RETRY", reason[:MAX_REASON]
        return "DROP" if tries >= TRIES else answer, reason[:MAX_REASON]


def identity_of(body: Any) -> tuple[str, str, str] | None:
    """Source, id and type of an event; None when it is none."""
    if not isinstance(body, dict):
        return None
    found = tuple(body.get(name) for name in ("source", "id", "type"))
    if not all(isinstance(value, str) and 0 < len(value) <= 128 and "||" not in value for value in found):
        return None
    source, event_id, event_type = found
    return str(source), str(event_id), str(event_type)


def _parse(reader: type[EventData], body: dict[str, Any]) -> CloudEvent[Any]:
    return CloudEvent[reader].model_validate(body, extra="ignore")  # type: ignore[valid-type]


def _validation_reason(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5])


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
