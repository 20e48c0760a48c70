"""Files, counted by how they were judged, and what is on the agenda."""

from omnify_shared.telemetry import Telemetry

OUTCOMES = ("ready", "refused", "postponed", "given_up")


class FileMetrics:
    """`agenda` is how many files somebody has to look at, when last looked; `scanner` whether it answered then."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.agenda: int | None = None
        starts = [{"outcome": outcome} for outcome in OUTCOMES]
        self._judged = telemetry.counter("omnify.files.judged", "Files by how a try to judge them ended.", starts)
        telemetry.gauge("omnify.files.agenda", "Files that are on the way or waiting.", lambda: self.agenda)

    def judged(self, outcome: str) -> None:
        """A try has ended."""
        self._judged.add(1, {"outcome": outcome})
