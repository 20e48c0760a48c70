"""Setting second factors up and taking them away."""

from dataclasses import dataclass

from omnify_auth.errors import FactorDemanded, InvalidCode, NoFactor
from omnify_auth.events import FactorAdded, FactorRemoved, RecoveryCodesMade
from omnify_auth.factors import TOTP, enrolled, nothing_of
from omnify_auth.records import Factors, Totp
from omnify_auth.recovery import new_codes
from omnify_auth.service.directory import roles_in
from omnify_auth.service.policy import MfaPolicies
from omnify_auth.service.second_factor import Change, Holder, Proof, SecondFactor
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_auth.totp import NEVER, new_secret
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit


@dataclass(frozen=True, slots=True)
class RecoverySet:
    """New recovery codes, as shown once and as stored."""

    codes: tuple[str, ...]
    digests: tuple[str, ...]


class Enrolment:
    """One document per user holds all factors; every change is one write to it with its event."""

    def __init__(self, store: Store, factor: SecondFactor, policies: MfaPolicies, settings: AuthSettings) -> None:
        self._store = store
        self._factor = factor
        self._policies = policies
        self._setup_ttl = settings.totp_setup_ttl

    async def factors(self, user_id: str) -> Factors:
        """What a user has set up."""
        return await self._store.factors.get(user_id) or nothing_of(user_id)

    async def set_up(self, user_id: str) -> str:
        """The base32 secret of a new generator, which waits to be proven; one that is in use stays in use till then."""
        secret = new_secret()
        sealed = await self._factor.sealed(user_id, secret)
        pending = Totp(secret=sealed, made_at=clock.now(), last_step=NEVER, last_used_at=None)

        def change(factors: Factors, emit: Emit) -> Factors:
            return factors.model_copy(update={"pending_totp": pending})

        await self._store.factors.upsert(user_id, initial=lambda: nothing_of(user_id), change=change)
        return secret

    async def prove(self, holder: Holder, code: str) -> tuple[str, ...] | None:
        """Takes a code: of the waiting generator, which is then in use, or else of the one in use.

        The recovery codes that a first factor comes with. Raises InvalidCode, NoFactor, TooManyGuesses.
        """
        factors = await self.factors(holder.user_id)
        pending = factors.pending_totp
        if pending and clock.now() - pending.made_at < self._setup_ttl:
            return await self._activate(holder, pending, code)
        if factors.totp is None:
            raise NoFactor("set a generator up first")
        await self._factor.prove(holder, Proof(code=code))
        return None

    async def new_recovery_codes(self, holder: Holder) -> tuple[str, ...]:
        """Replaces the recovery codes. Raises NoFactor when there is nothing that they could stand in for."""
        made = await self.recovery_set(holder.user_id)

        def change(factors: Factors, emit: Emit) -> Factors:
            if not enrolled(factors):
                raise NoFactor("recovery codes stand in for a second factor; set one up first")
            emit(RecoveryCodesMade(user_id=holder.user_id, organization_id=holder.organization_id))
            return with_codes(factors, made)

        await self._changed(holder.user_id, change)
        return made.codes

    async def remove_totp(self, holder: Holder, proof: Proof) -> None:
        """Takes the generator away, and with the last factor the recovery codes.

        Raises NoFactor, InvalidCode, FactorDemanded.
        """
        factors = await self.factors(holder.user_id)
        if factors.totp is None:
            raise NoFactor("there is no generator to take away")
        if enrolled(factors) == (TOTP,):
            await self.may_have_none(holder)
        await self._factor.prove(holder, proof)

        def change(factors: Factors, emit: Emit) -> Factors:
            if factors.totp is None:
                raise NoFactor("there is no generator to take away")
            emit(FactorRemoved(user_id=holder.user_id, organization_id=holder.organization_id, method=TOTP))
            return tidied(factors.model_copy(update={"totp": None, "pending_totp": None}))

        await self._changed(holder.user_id, change)

    async def may_have_none(self, holder: Holder) -> None:
        """Raises FactorDemanded when the last factor may not go."""
        user = await self._store.users.get(holder.user_id)
        if user and await self._policies.demands(holder.organization_id, user, roles_in(user, holder.organization_id)):
            raise FactorDemanded

    async def _activate(self, holder: Holder, pending: Totp, code: str) -> tuple[str, ...] | None:
        step = await self._factor.matched(holder, pending, code)
        made, now = await self.recovery_set(holder.user_id), clock.now()

        def change(factors: Factors, emit: Emit) -> Factors:
            if factors.pending_totp != pending:
                raise InvalidCode
            emit(FactorAdded(user_id=holder.user_id, organization_id=holder.organization_id, method=TOTP))
            active = pending.model_copy(update={"last_step": step, "last_used_at": now, "made_at": now})
            active_factors = factors.model_copy(update={"totp": active, "pending_totp": None})
            return active_factors if factors.recovery_codes else with_codes(active_factors, made)

        after = await self._changed(holder.user_id, change)
        return made.codes if after.recovery_codes == made.digests else None

    async def recovery_set(self, user_id: str) -> RecoverySet:
        """New recovery codes, not yet anybody's."""
        codes = new_codes()
        return RecoverySet(codes, tuple([await self._factor.digest(user_id, code) for code in codes]))

    async def _changed(self, user_id: str, change: Change) -> Factors:
        try:
            return (await self._store.factors.update(user_id, change=change)).value
        except Missing:
            raise NoFactor("no factor is set up") from None


def with_codes(factors: Factors, made: RecoverySet) -> Factors:
    """With these recovery codes in place of older ones."""
    return factors.model_copy(update={"recovery_codes": made.digests, "recovery_codes_made_at": clock.now()})


def tidied(factors: Factors) -> Factors:
    """Without recovery codes when there is nothing left that they could stand in for."""
    return factors if enrolled(factors) else factors.model_copy(update={"recovery_codes": ()})
