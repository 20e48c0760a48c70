"""Proving an address by a mailed token.

The user document decides, in one write under its ETag: of any number of tokens and tries exactly one wins. What
follows (the organisation's name, dropping the verification) is repeated by nobody and missed by nobody after a crash:
tokens of a proven account are refused whether or not their verification is still there.
"""

import hmac
import secrets
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from omnify_auth.errors import InvalidToken
from omnify_auth.events import AddressVerified
from omnify_auth.records import MailedToken, Organization, User, Verification
from omnify_auth.schemas.internal import MintedTokenOut
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.problems import NotFound

MINTED = point("auth.verify.minted")
PROVEN = point("auth.verify.proven")
NAMED = point("auth.verify.named")
DROPPED = point("auth.verify.dropped")

_TOKENS_KEPT = 3


class Verifications:
    """Tokens are `<verification id>.<256 random bits>`; only their SHA-256 is stored."""

    def __init__(self, store: Store, settings: AuthSettings) -> None:
        self._store = store
        self._ttl = settings.verification_ttl

    async def mint(self, verification_id: str) -> MintedTokenOut:
        """A fresh token for a mail; the last three made count. Raises NotFound when none is needed any more."""
        verification = await self._store.verifications.get(verification_id)
        user = await self._store.users.get(verification.user_id) if verification else None
        if verification is None or user is None or user.verified_at:
            raise NotFound("nothing waits for a verification under this id")
        token = f"{verification_id}.{secrets.token_urlsafe(32)}"
        minted = MailedToken(digest=_digest(token), expires_at=clock.now() + self._ttl)

        def change(verification: Verification, emit: Emit) -> Verification:
            return verification.model_copy(update={"tokens": (*verification.tokens, minted)[-_TOKENS_KEPT:]})

        try:
            await self._store.verifications.update(verification_id, change=change)
        except Missing:
            raise NotFound("nothing waits for a verification under this id") from None
        reach(MINTED)
        return MintedTokenOut(
            email=user.email,
            full_name=verification.full_name,
            locale=verification.locale,
            token=token,
            expires_at=minted.expires_at,
        )

    async def prove(self, token: str) -> None:
        """Proves an address and activates what was registered with this token's verification. Raises InvalidToken."""
        verification = await self._pending(token)
        proven = {
            "verified_at": clock.now(),
            "full_name": verification.full_name,
            "password": verification.password,
            "locale": verification.locale,
        }

        def change(user: User, emit: Emit) -> User:
            if user.verified_at:
                raise InvalidToken
            emit(AddressVerified(user_id=user.user_id, organization_id=verification.organization_id))
            return user.model_copy(update=proven)

        try:
            await self._store.users.update(verification.user_id, change=change)
        except Missing:
            raise InvalidToken from None
        reach(PROVEN)
        await self._name_organization(verification)
        reach(NAMED)
        await self._store.verifications.delete(verification.verification_id)
        reach(DROPPED)

    async def _pending(self, token: str) -> Verification:
        verification_id = _verification_id(token)
        verification = await self._store.verifications.get(verification_id) if verification_id else None
        now, digest = clock.now(), _digest(token)
        if verification is None or not any(_counts(known, digest, now) for known in verification.tokens):
            raise InvalidToken
        return verification

    async def _name_organization(self, verification: Verification) -> None:
        def change(organization: Organization, emit: Emit) -> Organization:
            if organization.name == verification.organization_name:
                return organization
            return organization.model_copy(update={"name": verification.organization_name})

        await self._store.organizations.update(verification.organization_id, change=change)


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _counts(known: MailedToken, digest: str, now: datetime) -> bool:
    return hmac.compare_digest(known.digest, digest) and now < known.expires_at


def _verification_id(token: str) -> str | None:
    try:
        return str(UUID(token.partition(".")[0]))
    except ValueError:
        return None
