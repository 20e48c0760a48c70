"""What of a stored letter, consent, session or invitation tells who somebody is, sealed and opened."""

import json
from typing import Any

from omnify_auth.profiles import ProfileKey, ProfileKeys
from omnify_auth.records import Consent, Consents, Letter, ListedSession
from omnify_auth.rosters import Invitation
from omnify_auth.vault import Vault
from omnify_shared.documents import Seen

_OF_LETTERS = ("to", "full_name", "values")
_NOTHING: dict[str, Any] = {"to": "", "full_name": "", "values": {}}


class Sealing:
    """Under the key of the user's profile, but for a letter that has to outlive it (`sealed_by`), and for invitations,
    whose address may be nobody's yet: those under the service's key."""

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

    async def of_session(self, user_id: str, seen: ListedSession, key: Seen[ProfileKey]) -> ListedSession:
        """A listed session as it is stored; `key` is the user's, as just read."""
        plain = _packed({"user_agent": seen.user_agent, "network": seen.network})
        sealed = await self._profiles.seal(user_id, plain, f"session/{seen.session_id}", seen=key)
        return seen.model_copy(update={"user_agent": None, "network": None, "sealed": sealed})

    async def session(self, user_id: str, stored: ListedSession) -> ListedSession:
        """A listed session as it was seen."""
        if stored.sealed is None:
            return stored
        plain = await self._profiles.open(user_id, stored.sealed, f"session/{stored.session_id}")
        return stored.model_copy(update={"sealed": None} | (json.loads(plain) if plain else {}))

    async def of_invitation(self, organization_id: str, invitation: Invitation) -> Invitation:
        """An invitation as it is stored."""
        sealed = await self._vault.seal(_packed({"email": invitation.email}), _about(organization_id, invitation))
        return invitation.model_copy(update={"email": "", "sealed": sealed})

    async def invitation(self, organization_id: str, stored: Invitation) -> Invitation:
        """An invitation as it was made."""
        if stored.sealed is None:
            return stored
        plain = await self._vault.open(stored.sealed, _about(organization_id, stored))
        return stored.model_copy(update={"sealed": None} | json.loads(plain))

    async def _opened(self, user_id: str, consent: Consent) -> Consent:
        if consent.seen is None:
            return consent
        plain = await self._profiles.open(user_id, consent.seen, f"consent/{consent.consent_id}")
        return consent.model_copy(update=json.loads(plain) if plain else {})


def _packed(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _about(organization_id: str, invitation: Invitation) -> str:
    return f"invitation/{organization_id}/{invitation.invitation_id}"
