"""Sign-ins, counted by how they end."""

from collections.abc import Iterator
from contextlib import contextmanager

from omnify_auth.errors import (
    EmailNotVerified,
    InvalidCode,
    InvalidCredentials,
    InvalidPasskey,
    MfaRequired,
    TooManyGuesses,
)
from omnify_auth.service.erasures import Erasures
from omnify_shared.telemetry import Telemetry

OUTCOMES: dict[type[Exception], str] = {
    InvalidCredentials: "wrong",
    EmailNotVerified: "unverified",
    MfaRequired: "half",
    InvalidCode: "wrong",
    InvalidPasskey: "wrong",
    TooManyGuesses: "throttled",
}


class LoginMetrics:
    """`omnify.logins` by `outcome`: success, half (a second factor is wanted), wrong, unverified, throttled, or failed
    when it is not the caller's."""

    def __init__(self, telemetry: Telemetry) -> None:
        starts = [{"outcome": outcome} for outcome in ("success", "failed", *sorted(set(OUTCOMES.values())))]
        self._logins = telemetry.counter("omnify.logins", "Sign-ins by how they ended.", starts)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts the sign-in of a block."""
        outcome = "success"
        try:
            yield
        except Exception as error:
            outcome = OUTCOMES.get(type(error), "failed")
            raise
        finally:
            self._logins.add(1, {"outcome": outcome})


def watch_erasures(telemetry: Telemetry, erasures: Erasures) -> None:
    """Erasures that have not ended, and those of them whose receipts are overdue, as this replica last saw them."""
    telemetry.gauge("omnify.erasures.open", "Erasures that have not ended.", lambda: erasures.open)
    telemetry.gauge("omnify.erasures.overdue", "Erasures with overdue receipts.", lambda: erasures.overdue)
