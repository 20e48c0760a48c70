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
    """What happened, by a name (`change`) for mails in any language, and in English."""
    match data:
        case FactorAdded(method=method):
            return {"change": f"{method}_added", "news": f"{_named(method)} was added"}
        case FactorRemoved(method=method):
            return {"change": f"{method}_removed", "news": f"{_named(method)} was taken away"}
        case RecoveryCodesMade():
            return {"change": "codes_made", "news": "new recovery codes were made, and the old ones are void"}
        case RecoveryCodeUsed(left=left):
            return {"change": "code_used", "left": str(left), "news": f"a recovery code was used; {left} are left"}
        case FactorRecoveryAsked():
            said = "somebody with your password and your mailbox said that you lost them all"
            return {"change": "recovery_asked", "news": said}
        case FactorsReset():
            done = "an administrator took them all away, as was asked; set up new ones"
            return {"change": "reset", "news": done}
        case PasskeyRegressed():
            refused = "a passkey was used that looks like a copy of yours, and was refused"
            return {"change": "passkey_copied", "news": refused}
    return None


def _named(method: str) -> str:
    return "a passkey" if method == PASSKEY else "an authenticator app"
