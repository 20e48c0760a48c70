"""Files, counted by how they were announced and judged, and what is on the agenda."""

from omnify_shared.telemetry import Telemetry

ANNOUNCED = ("taken", "quota", "rate")
OUTCOMES = ("ready", "refused", "postponed", "given_up")


class FileMetrics:
    """`agenda` is how many files somebody has to look at, when last looked; `soon` how many of them within minutes."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.agenda: int | None = None
        self.soon: int | None = None
        begun = [{"outcome": outcome} for outcome in ANNOUNCED]
        starts = [{"outcome": outcome} for outcome in OUTCOMES]
        self._announced = telemetry.counter("omnify.files.announced", "Uploads by whether there was room.", begun)
        self._judged = telemetry.counter("omnify.files.judged", "Files by how a try to judge them ended.", starts)
        telemetry.gauge("omnify.files.agenda", "Files that are on the way or waiting.", lambda: self.agenda)
        telemetry.gauge("omnify.files.waiting", "Files that are judged or dropped soon, or now.", lambda: self.soon)

    def announced(self, outcome: str) -> None:
        """Somebody wanted to begin an upload."""
        self._announced.add(1, {"outcome": outcome})

    def judged(self, outcome: str) -> None:
        """A try has ended."""
        self._judged.add(1, {"outcome": outcome})
