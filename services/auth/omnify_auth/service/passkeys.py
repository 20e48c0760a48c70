"""Passkeys: adding, using and removing them."""

import os
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from omnify_auth.errors import InvalidPasskey, NoFactor
from omnify_auth.events import FactorAdded, FactorRemoved, PasskeyRegressed
from omnify_auth.factors import PASSKEY, enrolled, nothing_of
from omnify_auth.passkey_rules import Credential, went_back
from omnify_auth.records import Ceremony, Factors, Passkey
from omnify_auth.service.enrolment import Enrolment, tidied, with_codes
from omnify_auth.service.second_factor import Holder
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_auth.vault import encode
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.ids import new_id
from omnify_shared.problems import Conflict, NotFound, Unauthorized
from omnify_shared.ratelimits import RateLimits

if TYPE_CHECKING:
    from omnify_auth.webauthn_rules import RelyingParty

MOST = 20  # passkeys of a user


class Passkeys:
    """They lie in the factors' document of their user. Every ceremony's challenge counts once, in any replica."""

    def __init__(self, store: Store, enrolment: Enrolment, limits: RateLimits, settings: AuthSettings) -> None:
        self._store = store
        self._limits = limits
        self._most_requests = settings.passkey_requests
        self._enrolment = enrolment
        self._settings = settings

    @cached_property
    def _party(self) -> "RelyingParty":
        from omnify_auth.webauthn_rules import RelyingParty

        return RelyingParty(self._settings)

    async def creation(self, user_id: str) -> tuple[str, dict[str, Any]]:
        """The ceremony in which a user adds a passkey: its id and the browser's options."""
        user = await self._store.users.get(user_id)
        if user is None:
            raise Unauthorized("the account no longer exists")
        factors = await self._enrolment.factors(user_id)
        ceremony = await self._begun(user_id)
        return ceremony.ceremony_id, self._party.creation_options(user, factors.passkeys, ceremony.challenge)

    async def request(self, address: str | None) -> tuple[str, dict[str, Any]]:
        """The ceremony in which somebody at a client address shows a passkey. Raises TooManyRequests."""
        await self._limits.hit("passkey", address or "unknown", limit=self._most_requests, window=timedelta(minutes=1))
        ceremony = await self._begun(None)
        return ceremony.ceremony_id, self._party.request_options(ceremony.challenge)

    async def add(
        self, holder: Holder, ceremony_id: str, name: str, credential: Credential
    ) -> tuple[Passkey, tuple[str, ...] | None]:
        """The new passkey, and the recovery codes that a first factor comes with. Raises InvalidPasskey, Conflict."""
        ceremony = await self._open(ceremony_id, holder.user_id)
        passkey = self._party.created(credential, name, ceremony.challenge)
        await self._use(ceremony)
        made = await self._enrolment.recovery_set(holder.user_id)

        def change(factors: Factors, emit: Emit) -> Factors:
            if _find(factors, passkey.passkey_id) or len(factors.passkeys) >= MOST:
                raise Conflict(f"the passkey is known already, or there are {MOST}")
            emit(FactorAdded(user_id=holder.user_id, organization_id=holder.organization_id, method=PASSKEY))
            after = factors.model_copy(update={"passkeys": (*factors.passkeys, passkey)})
            return after if after.recovery_codes else with_codes(after, made)

        user_id = holder.user_id
        stored = await self._store.factors.upsert(user_id, initial=lambda: nothing_of(user_id), change=change)
        return passkey, made.codes if stored.value.recovery_codes == made.digests else None

    async def show(self, holder: Holder, ceremony_id: str, credential: Credential) -> None:
        """Takes the use of a passkey. Raises InvalidPasskey, also when its counter went back."""
        ceremony = await self._open(ceremony_id, None)
        known = _find(await self._enrolment.factors(holder.user_id), str(credential.get("id")))
        if known is None:
            raise InvalidPasskey
        used = self._party.used(credential, known, ceremony.challenge)
        await self._use(ceremony)
        if not await self._counted(holder, used):
            raise InvalidPasskey

    async def remove(self, holder: Holder, passkey_id: str) -> None:
        """Takes a passkey away. Raises NotFound, FactorDemanded."""
        factors = await self._enrolment.factors(holder.user_id)
        if _find(factors, passkey_id) is None:
            raise NotFound("no such passkey")
        if enrolled(factors) == (PASSKEY,) and len(factors.passkeys) == 1:
            await self._enrolment.may_have_none(holder)

        def change(factors: Factors, emit: Emit) -> Factors:
            left = tuple(one for one in factors.passkeys if one.passkey_id != passkey_id)
            if len(left) == len(factors.passkeys):
                raise NotFound("no such passkey")
            emit(FactorRemoved(user_id=holder.user_id, organization_id=holder.organization_id, method=PASSKEY))
            return tidied(factors.model_copy(update={"passkeys": left}))

        try:
            await self._store.factors.update(holder.user_id, change=change)
        except Missing:
            raise NoFactor("no factor is set up") from None

    async def _counted(self, holder: Holder, used: Passkey) -> bool:
        """Stores a use; False, with an event, when the counter went back."""
        counted = True

        def change(factors: Factors, emit: Emit) -> Factors:
            nonlocal counted
            before = _find(factors, used.passkey_id)
            if before is None:
                raise InvalidPasskey
            if counted := not went_back(before, used):
                passkeys = tuple(used if one.passkey_id == used.passkey_id else one for one in factors.passkeys)
                return factors.model_copy(update={"passkeys": passkeys, "recovery_asked_at": None})
            whose = {"user_id": holder.user_id, "organization_id": holder.organization_id}
            emit(PasskeyRegressed(**whose, passkey_id=used.passkey_id))
            return factors

        await self._store.factors.update(holder.user_id, change=change)
        return counted

    async def _begun(self, user_id: str | None) -> Ceremony:
        ceremony_id, challenge = new_id(), encode(os.urandom(32))
        ceremony = Ceremony(ceremony_id=ceremony_id, user_id=user_id, challenge=challenge, used_at=None)
        await self._store.ceremonies.create(ceremony_id, value=ceremony, fresh=True)
        return ceremony

    async def _open(self, ceremony_id: str, user_id: str | None) -> Ceremony:
        ceremony = await self._store.ceremonies.get(ceremony_id)
        if ceremony is None or ceremony.used_at or ceremony.user_id != user_id:
            raise InvalidPasskey
        return ceremony

    async def _use(self, ceremony: Ceremony) -> None:
        def change(ceremony: Ceremony, emit: Emit) -> Ceremony:
            if ceremony.used_at:
                raise InvalidPasskey
            return ceremony.model_copy(update={"used_at": clock.now()})

        try:
            await self._store.ceremonies.update(ceremony.ceremony_id, change=change)
        except Missing:
            raise InvalidPasskey from None


def _find(factors: Factors, passkey_id: str) -> Passkey | None:
    return next((one for one in factors.passkeys if one.passkey_id == passkey_id), None)
