"""Attempts and received events, counted by how they end."""

from omnify_shared.telemetry import Telemetry

OUTCOMES = ("delivered", "waiting", "failed")
TRIGGERS = ("event", "replay", "test")
RECEIPTS = ("accepted", "repeated", "refused", "limited")


class WebhookMetrics:
    """`omnify.webhooks.attempts` by `trigger` and `outcome`, `omnify.webhooks.received` by `outcome`."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.tracing = telemetry.tracing
        attempts = [{"trigger": trigger, "outcome": outcome} for trigger in TRIGGERS for outcome in OUTCOMES]
        self._attempts = telemetry.counter(
            "omnify.webhooks.attempts", "Attempts to deliver by how they ended.", attempts
        )
        received = [{"outcome": outcome} for outcome in RECEIPTS]
        self._received = telemetry.counter("omnify.webhooks.received", "Events of other platforms.", received)

    def count(self, trigger: str, outcome: str) -> None:
        """An attempt has ended."""
        self._attempts.add(1, {"trigger": trigger, "outcome": outcome})

    def received(self, outcome: str) -> None:
        """A request of another platform was answered."""
        self._received.add(1, {"outcome": outcome})
