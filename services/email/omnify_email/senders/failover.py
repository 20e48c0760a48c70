"""Providers in order of preference: the next one is tried where the one before has surely not taken the mail."""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog

from omnify_email.errors import PermanentError, TransientError
from omnify_email.senders.mail import Mail

if TYPE_CHECKING:
    from omnify_email.senders import MailSender

log = structlog.get_logger()
TOLERATED = 5  # failures in a row
REST = 30.0  # seconds


class Breaker:
    """Leaves a provider alone for REST seconds after TOLERATED failures in a row, then lets one mail try.

    Each replica has its own: it only says who is asked first, and every replica learns it from five mails. A shared one
    would cost a read and a write of state per mail.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures = 0
        self._rests_until = 0.0

    def allows(self) -> bool:
        """Whether the provider may be asked now. After a rest the first to ask is the only one for another rest."""
        if self._failures < TOLERATED:
            return True
        if self._now() < self._rests_until:
            return False
        self._rests_until = self._now() + REST
        return True

    def succeeded(self) -> None:
        """The provider works."""
        self._failures = 0

    def failed(self) -> None:
        """The provider does not work."""
        self._failures += 1
        if self._failures >= TOLERATED:
            self._rests_until = self._now() + REST


class Failover:
    """Several senders as one."""

    def __init__(self, senders: "Sequence[MailSender]", breaker: Callable[[], Breaker] = Breaker) -> None:
        self._ways = [(sender, breaker()) for sender in senders]
        self.name = "+".join(sender.name for sender in senders)

    async def send(self, mail: Mail, before: "Callable[[MailSender], Awaitable[None]]") -> str:
        """Hands the mail to the first provider that takes it, and says which; `before` is awaited before each could.

        Raises TransientError, PermanentError, what `before` raises.
        A provider that broke off half-way may have taken the mail: nobody else is asked, so that no copy is made.
        """
        reasons: list[str] = []
        for sender, breaker in self._ways:
            if not breaker.allows():
                reasons.append(f"{sender.name}: left alone after failures")
                continue
            try:
                await sender.send(mail, partial(before, sender))
            except PermanentError:
                breaker.succeeded()
                raise
            except TransientError as error:
                self._note(breaker, error)
                if not error.certain:
                    raise
                reasons.append(str(error))
            else:
                breaker.succeeded()
                return sender.name
        raise TransientError("; ".join(reasons))

    @staticmethod
    def _note(breaker: Breaker, error: TransientError) -> None:
        if not error.provider:
            return breaker.succeeded()
        log.warning("provider failed", reason=str(error))
        breaker.failed()
