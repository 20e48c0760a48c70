"""At most so many mails to one address, and nothing to be learnt from whether one was sent."""

from datetime import timedelta

from omnify_auth.records import Decoy
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Contended
from omnify_shared.ids import new_id
from omnify_shared.problems import TooManyRequests
from omnify_shared.ratelimits import RateLimits


class MailFlood:
    """Counts the mails that an address is asked to get; `name` is the address's digest."""

    def __init__(self, store: Store, limits: RateLimits, settings: AuthSettings) -> None:
        self._store = store
        self._limits = limits
        self._settings = settings

    async def may_mail(self, name: str) -> bool:
        """Whether the address may get one more mail; counted, sent or not."""
        settings = self._settings
        try:
            await self._limits.hit("mail", name, limit=settings.mails_per_window, window=settings.mails_window)
            await self._limits.hit("mail-day", name, limit=settings.mails_per_day, window=timedelta(days=1))
        except (TooManyRequests, Contended):
            return False
        return True

    async def pretend(self, name: str) -> None:
        """Reads and writes as much as a mail would cost, so that the time taken tells nothing either."""
        await self._store.verifications.get(new_id())
        await self._store.decoys.upsert(
            name, initial=lambda: Decoy(at=clock.now()), change=lambda *_: Decoy(at=clock.now())
        )
