"""How imports get on, for `/metrics`."""

import time
from collections.abc import Callable

from omnify_shared.telemetry import Telemetry


class ImportMetrics:
    """Rows read, imports ended by status, those under way in this replica and since when the oldest is."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._since: dict[str, float] = {}
        self._rows = telemetry.counter("omnify.imports.rows", "Rows read of order files.", [{}])
        starts = [{"status": status} for status in ("completed", "failed", "interrupted")]
        self._ended = telemetry.counter("omnify.imports.ended", "Imports by how this replica's work ended.", starts)
        telemetry.gauge("omnify.imports.running", "Imports under way.", lambda: len(self._since))
        telemetry.gauge("omnify.imports.oldest.age", "Since the oldest of them began.", self._oldest, unit="s")

    def _oldest(self) -> float:
        began = list(self._since.values())
        return time.monotonic() - min(began) if began else 0.0

    def began(self, import_id: str) -> None:
        """Work on an import has begun."""
        self._since[import_id] = time.monotonic()

    def ended(self, import_id: str, status: str) -> None:
        """Work on it has ended: its status, or `interrupted` when it will be tried again."""
        self._since.pop(import_id, None)
        self._ended.add(1, {"status": status})

    def counting(self) -> Callable[[int], None]:
        """A function that takes how many rows of one file are read by now."""
        counted = 0

        def rows(read: int) -> None:
            nonlocal counted
            self._rows.add(max(0, read - counted))
            counted = max(counted, read)

        return rows
