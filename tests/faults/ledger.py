"""What a drill counts, and the lines it has to keep."""

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Fact = int | float | str


class Ledger:
    """The books of one drill: what was promised (acknowledged) against what is there afterwards (found).

    Both sides are ids. Whatever was not acknowledged may or may not be there; what was has to be there, once.
    Safe to write to from several threads.
    """

    def __init__(self, *, recovery_limit: float = 30) -> None:
        self.recovery_limit = recovery_limit  # seconds
        self.recovery: float | None = None  # seconds, the longest
        self.order_breaks = 0
        self.order_matters = False
        self.facts: dict[str, Fact] = {}
        self._acknowledged: set[str] = set()
        self._found: Counter[str] = Counter()
        self._wrong_ok: list[str] = []
        self._failures: list[str] = []
        self._lock = threading.Lock()

    def acknowledge(self, name: str) -> None:
        """Somebody was told that this is done."""
        with self._lock:
            self._acknowledged.add(name)

    def find(self, name: str, times: int = 1) -> None:
        """Its effect is there, `times` times in all calls together."""
        with self._lock:
            self._found[name] += times

    def promises(self, prefix: str) -> list[str]:
        """What was acknowledged and begins so, without that beginning."""
        return sorted(name.removeprefix(prefix) for name in self._acknowledged if name.startswith(prefix))

    def wrong_ok(self, what: str) -> None:
        """Somebody was told "ok" about what is not so."""
        with self._lock:
            self._wrong_ok.append(what)

    def break_order(self) -> None:
        """Something of one key arrived after something later of that key."""
        with self._lock:
            self.order_breaks += 1

    def recovered(self, seconds: float) -> None:
        """How long after the fault's end the service was itself again; the longest counts."""
        with self._lock:
            self.recovery = max(seconds, self.recovery or 0)

    def check(self, holds: object, otherwise: str) -> None:
        """A further line of this drill; `otherwise` says what is wrong when it does not hold."""
        if not holds:
            with self._lock:
                self._failures.append(otherwise)

    def note(self, **facts: Fact) -> None:
        """Figures to print with the line; they pass no judgement."""
        self.facts |= facts

    @property
    def acknowledged(self) -> int:
        """How many were promised."""
        return len(self._acknowledged)

    @property
    def found(self) -> int:
        """How many of the promised are there."""
        return len(self._acknowledged & set(+self._found))

    @property
    def lost(self) -> list[str]:
        """Promised and not there."""
        return sorted(self._acknowledged - set(+self._found))

    @property
    def doubled(self) -> list[str]:
        """There more than once."""
        return sorted(name for name, times in self._found.items() if times > 1)

    @property
    def failures(self) -> list[str]:
        """What is wrong, in words; empty when every line is kept."""
        told = [
            (self.lost, f"{len(self.lost)} lost, such as {self.lost[:3]}"),
            (self.doubled, f"{len(self.doubled)} doubled, such as {self.doubled[:3]}"),
            (self._wrong_ok, f"{len(self._wrong_ok)} wrong ok, such as {self._wrong_ok[:3]}"),
            (self.order_matters and self.order_breaks, f"{self.order_breaks} order breaks"),
            (
                (self.recovery or 0) > self.recovery_limit,
                f"recovery took {self.recovery or 0:.1f} s, more than {self.recovery_limit:g}",
            ),
        ]
        return [text for wrong, text in told if wrong] + self._failures

    def line(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            "acknowledged": self.acknowledged,
            "found": self.found,
            "lost": len(self.lost),
            "doubled": len(self.doubled),
            "order_breaks": self.order_breaks,
            "wrong_ok": len(self._wrong_ok),
            "recovery_seconds": None if self.recovery is None else round(self.recovery, 1),
            "facts": dict(self.facts),
        }


@dataclass
class Drill:
    """One run of a drill: how large it is, the seed of its chances, and its ledger."""

    name: str
    title: str
    seed: int
    full: bool
    ledger: Ledger = field(default_factory=Ledger)
    settled: bool = False
    chances: str = ""  # tells runs of one drill apart, so that their chances differ

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.seed}/{self.name}/{self.chances}")

    def pick(self, short: T, full: T) -> T:
        """A count or a duration of the short run (`make test`) and of the full one (`make faults`)."""
        return full if self.full else short

    def settle(self) -> None:
        """The last line of each drill: fails it when a line of the ledger is not kept."""
        self.settled = True
        assert not self.ledger.failures, f"{self.name} ({self.title}), seed {self.seed}: {self.ledger.failures}"
