"""Mails, counted by how each try ends, and those that wait."""

from omnify_email.catalogue import TEMPLATES
from omnify_shared.telemetry import Telemetry

OUTCOMES = ("sent", "skipped", "waiting", "failed", "suppressed")


class MailMetrics:
    """`omnify.mails` by `kind` and `outcome`; `waiting` is the length of the waiting list when last looked through."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.tracing = telemetry.tracing
        self.waiting: int | None = None
        starts = [{"kind": kind, "outcome": outcome} for kind in TEMPLATES for outcome in OUTCOMES]
        self._mails = telemetry.counter("omnify.mails", "Tries to send a mail by how they ended.", starts)
        telemetry.gauge("omnify.mails.waiting", "Mails that wait for another try.", lambda: self.waiting)

    def count(self, kind: str, outcome: str) -> None:
        """A try has ended."""
        self._mails.add(1, {"kind": kind, "outcome": outcome})
