"""The ladder of waits against password guessing: pure rules, the counter is a document.

Source: NIST SP 800-63B-4 §3.2.2, at most 100 consecutive failures, waits from 30 s up to 1 h.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from omnify_auth.records import Guard
from omnify_auth.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class Ladder:
    """`free` tries without a wait, then `first_wait` doubling up to `longest_wait`, none at all from `ceiling` on."""

    free: int
    first_wait: timedelta
    longest_wait: timedelta
    ceiling: int

    @classmethod
    def of(cls, settings: AuthSettings) -> "Ladder":
        return cls(
            settings.guesses_free, settings.guesses_wait, settings.guesses_longest_wait, settings.guesses_ceiling
        )

    def wait_after(self, failures: int) -> timedelta:
        """How long after the last of `failures` consecutive failures the next guess is accepted."""
        if failures < self.free:
            return timedelta(0)
        doublings = min(failures - self.free, 32)
        wait: timedelta = self.first_wait * 2**doublings
        return min(wait, self.longest_wait)

    def remaining(self, guard: Guard | None, now: datetime) -> timedelta:
        """The wait left before a guess is looked at; zero when it may be made now."""
        if guard is None:
            return timedelta(0)
        if guard.failures >= self.ceiling:
            return self.longest_wait
        return max(guard.last_failed_at + self.wait_after(guard.failures) - now, timedelta(0))
