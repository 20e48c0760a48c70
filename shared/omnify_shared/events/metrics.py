"""What an app's events do, counted per type."""

from collections.abc import Iterable
from datetime import datetime

from omnify_shared import clock
from omnify_shared.telemetry import Telemetry

OUTCOMES = ("success", "duplicate", "retry", "drop", "ignored")
OTHER = "other"  # a type that nobody here handles: its name comes from outside and must not become a label
LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class EventMetrics:
    """Counters of published and handled events, and how long they took from their making to their handling."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._published = telemetry.counter("omnify.events.published", "Events that the broker took.")
        self._failures = telemetry.counter(
            "omnify.events.publish.failures", "Tries to publish that failed; each is repeated.", [{}]
        )
        self._handled = telemetry.counter("omnify.events.handled", "Delivered events by what became of them.")
        self._lag = telemetry.histogram(
            "omnify.events.lag", "From an event's time to the end of its handling.", unit="s", buckets=LAG_BUCKETS
        )

    def expect(self, event_types: Iterable[str]) -> None:
        """Shows these types from the beginning."""
        for event_type in event_types:
            for outcome in OUTCOMES:
                self._handled.add(0, {"event.type": event_type, "outcome": outcome})

    def published(self, event_type: str) -> None:
        """The broker took an event."""
        self._published.add(1, {"event.type": event_type})

    def publish_failed(self) -> None:
        """The broker, or the sidecar, did not take an event."""
        self._failures.add(1)

    def handled(self, event_type: str, outcome: str, made_at: datetime | None = None) -> None:
        """An event was delivered; `made_at` is its time when it was handled to its end."""
        self._handled.add(1, {"event.type": event_type, "outcome": outcome})
        if made_at is not None:
            self._lag.record(max(0.0, (clock.now() - made_at).total_seconds()), {"event.type": event_type})
