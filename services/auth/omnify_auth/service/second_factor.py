"""Judging a second factor: each code once, each factor with its own count of wrong guesses."""

from collections.abc import Callable
from dataclasses import dataclass

from omnify_auth.errors import InvalidCode
from omnify_auth.events import RecoveryCodeUsed
from omnify_auth.factors import OTP_PROVEN
from omnify_auth.records import Factors, Totp
from omnify_auth.recovery import digest
from omnify_auth.service.guessing import Guessing, Target
from omnify_auth.store import Store
from omnify_auth.totp import matching_step
from omnify_auth.vault import RootKeys, Vault
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.vault import Sealed

Change = Callable[[Factors, Emit], Factors]


@dataclass(frozen=True, slots=True)
class Holder(Target):
    """Whose factor it is, and in which organisation they are at work."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a user shows: one of the two."""

    code: str | None = None
    recovery_code: str | None = None


class SecondFactor:
    """A guess is settled as with passwords, under `<user id>.<factor>`; then what was right is spent, by one winner."""

    def __init__(self, store: Store, vault: Vault, roots: RootKeys, guessing: Guessing) -> None:
        self._store = store
        self._vault = vault
        self._roots = roots
        self._guessing = guessing

    async def prove(self, holder: Holder, proof: Proof) -> tuple[str, ...]:
        """Spends a code; what it adds to the methods of the sign-in. Raises InvalidCode, TooManyGuesses."""
        factors = await self._store.factors.get(holder.user_id)
        if factors is None:
            raise InvalidCode
        if proof.code is not None:
            if factors.totp is None:
                raise InvalidCode
            step = await self.matched(holder, factors.totp, proof.code)
            await self._spend_step(factors.totp, holder.user_id, step)
        else:
            await self._recover(holder, factors, proof.recovery_code or "")
        return OTP_PROVEN

    async def matched(self, holder: Holder, totp: Totp, code: str) -> int:
        """The unspent time step that a code is of, as a settled guess. Raises InvalidCode, TooManyGuesses."""
        guard = f"{holder.user_id}.totp"
        self._guessing.admit(await self._store.guards.get(guard))
        secret = await self._vault.open(totp.secret, _record(holder.user_id))
        step = matching_step(secret.decode(), code.replace(" ", ""), clock.now())
        if step is None:
            await self._guessing.wrong(guard, holder, "totp")
            raise InvalidCode
        if step <= totp.last_step:
            raise InvalidCode
        await self._guessing.right(guard)
        return step

    async def sealed(self, user_id: str, secret: str) -> Sealed:
        """A generator's secret as it is stored."""
        return await self._vault.seal(secret.encode(), _record(user_id))

    async def digest(self, user_id: str, code: str) -> str:
        """Under what a recovery code is stored."""
        return digest(code, user_id, await self._roots.key("recovery codes"))

    async def _spend_step(self, matched: Totp, user_id: str, step: int) -> None:
        def change(factors: Factors, emit: Emit) -> Factors:
            totp = factors.totp
            if totp is None or totp.secret != matched.secret or step <= totp.last_step:
                raise InvalidCode
            spent = totp.model_copy(update={"last_step": step, "last_used_at": clock.now()})
            return factors.model_copy(update={"totp": spent, "recovery_asked_at": None})

        await self._spend(user_id, change)

    async def _recover(self, holder: Holder, factors: Factors, code: str) -> None:
        guard = f"{holder.user_id}.recovery"
        self._guessing.admit(await self._store.guards.get(guard))
        typed = await self.digest(holder.user_id, code)
        if typed not in factors.recovery_codes:
            await self._guessing.wrong(guard, holder, "recovery_code")
            raise InvalidCode
        await self._guessing.right(guard)

        def change(factors: Factors, emit: Emit) -> Factors:
            left = tuple(known for known in factors.recovery_codes if known != typed)
            if len(left) == len(factors.recovery_codes):
                raise InvalidCode
            emit(RecoveryCodeUsed(user_id=holder.user_id, organization_id=holder.organization_id, left=len(left)))
            return factors.model_copy(update={"recovery_codes": left, "recovery_asked_at": None})

        await self._spend(holder.user_id, change)

    async def _spend(self, user_id: str, change: Change) -> None:
        try:
            await self._store.factors.update(user_id, change=change)
        except Missing:
            raise InvalidCode from None


def _record(user_id: str) -> str:
    return f"factors/{user_id}"
