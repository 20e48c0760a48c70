"""What of a stored letter or consent tells who somebody is, sealed and opened."""

import json
from typing import Any

from omnify_auth.profiles import ProfileKeys
from omnify_auth.records import Consent, Consents, Letter
from omnify_auth.vault import Vault

_OF_LETTERS = ("to", "full_name", "values")
_NOTHING: dict[str, Any] = {"to": "", "full_name": "", "values": {}}


class Sealing:
    """Under the key of the user's profile, but for a letter that has to outlive it (`sealed_by`)."""

    def __init__(self, profiles: ProfileKeys, vault: Vault) -> None:
        self._profiles = profiles
        self._vault = vault

    async def sealed(self, letter: Letter) -> Letter:
        """A letter as it is stored."""
        plain, record = _packed(letter.model_dump(include=set(_OF_LETTERS))), f"letter/{letter.letter_id}"
        if letter.sealed_by == "service":
            return letter.model_copy(update=_NOTHING | {"sealed": await self._vault.seal(plain, record)})
        sealed = await self._profiles.seal(letter.user_id, plain, record)
        return letter.model_copy(update=_NOTHING | {"sealed": sealed})

    async def opened(self, letter: Letter) -> Letter:
        """A letter as it was written; without a recipient when the key was shredded. Earlier ones are not sealed."""
        if letter.sealed is None:
            return letter
        record = f"letter/{letter.letter_id}"
        if letter.sealed_by == "service":
            plain: bytes | None = await self._vault.open(letter.sealed, record)
        else:
            plain = await self._profiles.open(letter.user_id, letter.sealed, record)
        return letter.model_copy(update=json.loads(plain) if plain else {})

    async def of_consent(self, user_id: str, consent: Consent) -> Consent:
        """A consent as it is stored."""
        plain = _packed({"address": consent.address, "user_agent": consent.user_agent})
        seen = await self._profiles.seal(user_id, plain, f"consent/{consent.consent_id}")
        return consent.model_copy(update={"address": None, "user_agent": None, "seen": seen})

    async def consents(self, stored: Consents) -> Consents:
        """A user's consents as they were given."""
        history = [await self._opened(stored.user_id, one) for one in stored.history]
        return stored.model_copy(update={"history": tuple(history)})

    async def _opened(self, user_id: str, consent: Consent) -> Consent:
        if consent.seen is None:
            return consent
        plain = await self._profiles.open(user_id, consent.seen, f"consent/{consent.consent_id}")
        return consent.model_copy(update=json.loads(plain) if plain else {})


def _packed(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")
