"""What users are told of by mail after it happened, from auth's own events (ASVS 5.0, 6.3.7)."""

from typing import Any

from omnify_auth.events import (
    FactorAdded,
    FactorRecoveryAsked,
    FactorRemoved,
    FactorsReset,
    PasskeyRegressed,
    RecoveryCodesMade,
    RecoveryCodeUsed,
)
from omnify_auth.factors import PASSKEY
from omnify_auth.service.letters import Letters, moment
from omnify_auth.store import Store
from omnify_shared.events import CloudEvent


class Notices:
    """One mail per event, however often that is delivered."""

    def __init__(self, store: Store, letters: Letters) -> None:
        self._store = store
        self._letters = letters

    async def tell(self, event: CloudEvent[Any]) -> None:
        """Writes to the user of an event about second factors; other events tell nobody."""
        news = _news(event.data)
        user = await self._store.users.get(event.data.user_id) if news else None
        if news and user:
            await self._letters.write_once(event.id, "factors_changed", user, news | moment(event.time))


def _news(data: Any) -> dict[str, str] | None:
    match data:
        case FactorAdded(method=method):
            return _told(f"{method}_added", f"{_named(method)} was added")
        case FactorRemoved(method=method):
            return _told(f"{method}_removed", f"{_named(method)} was taken away")
        case RecoveryCodesMade():
            return _told("codes_made", "new recovery codes were made, and the old ones are void")
        case RecoveryCodeUsed(left=left):
            return _told("code_used", f"a recovery code was used; {left} are left", left=str(left))
        case FactorRecoveryAsked():
            return _told("recovery_asked", "somebody with your password and your mailbox said that you lost them all")
        case FactorsReset():
            return _told("reset", "an administrator took them all away, as was asked; set up new ones")
        case PasskeyRegressed():
            return _told("passkey_copied", "a passkey was used that looks like a copy of yours, and was refused")
    return None


def _told(change: str, news: str, **values: str) -> dict[str, str]:
    """What happened, by a name for mails in any language, and in English."""
    return {"change": change, "news": news, **values}


def _named(method: str) -> str:
    return "a passkey" if method == PASSKEY else "an authenticator app"
