"""Registering an account.

Order of the writes, and why a crash after any of them does no harm:

1. claim of the address, with the ids of the user and the organisation to be. Crash: a later registration of the same
   address finds the claim, no user under its id, and goes on with these ids.
2. verification and organisation, in any order. Crash: as above; an unused verification expires by itself.
3. user, with the event that makes email send the link. From here on the account exists; the event follows even if
   the process dies, as it lies in the same document.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from pydantic import JsonValue

from omnify_auth.events import RegistrationRepeated, UserRegistered, VerificationRequested
from omnify_auth.hashing import Hasher
from omnify_auth.passwords import context_words, weakness
from omnify_auth.records import Address, Decoy, Membership, Organization, PasswordHash, User, Verification
from omnify_auth.schemas.accounts import RegisterIn
from omnify_auth.service.directory import Directory
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists, Contended
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.problems import TooManyRequests, Unprocessable
from omnify_shared.ratelimits import RateLimits

CLAIMED = point("auth.register.claimed")
PREPARED = point("auth.register.prepared")
CREATED = point("auth.register.created")


class Registration:
    """Makes accounts. Nothing here tells its caller whether an address is known."""

    def __init__(
        self, directory: Directory, store: Store, hasher: Hasher, limits: RateLimits, settings: AuthSettings
    ) -> None:
        self._directory = directory
        self._store = store
        self._hasher = hasher
        self._limits = limits
        self._settings = settings

    async def register(self, form: RegisterIn) -> None:
        """Registers, or has the owner of the address told that somebody tried.

        Raises: Unprocessable for a weak password; HashingBusy; SidecarUnavailable.
        """
        self._refuse_weak_password(form)
        password = await self._hasher.hash(form.password)
        name = await self._directory.name(form.email)
        may_mail = await self._may_mail(name)
        verification = _typed(form, password, await self._claim(name))
        reach(CLAIMED)
        user = await self._store.users.get(verification.user_id)
        if user is None and await self._created(form, verification):
            return
        if may_mail:
            return await self._repeat(verification)
        await self._pretend(name)

    async def resend(self, email: str) -> None:
        """Asks for another verification mail; does nothing for an unknown or a verified address."""
        name = await self._directory.name(email)
        may_mail = await self._may_mail(name)
        user = await self._directory.owner(name)
        if user is None or user.verified_at or not may_mail:
            return await self._pretend(name)
        await self._revive_verification(user)

        def change(user: User, emit: Emit) -> User:
            if not user.verified_at:
                emit(_requested(user))
            return user

        await self._store.users.update(user.user_id, change=change)

    def _refuse_weak_password(self, form: RegisterIn) -> None:
        settings = self._settings
        context = context_words(form.email, form.full_name, form.organization_name)
        lengths = {"shortest": settings.password_min_length, "longest": settings.password_max_length}
        if reason := weakness(form.password, context, **lengths):
            errors: list[JsonValue] = [{"in": "body", "field": "password", "reason": reason}]
            raise Unprocessable(f"password: {reason}", errors=errors)

    async def _may_mail(self, name: str) -> bool:
        settings = self._settings
        try:
            await self._limits.hit("mail", name, limit=settings.mails_per_window, window=settings.mails_window)
            await self._limits.hit("mail-day", name, limit=settings.mails_per_day, window=timedelta(days=1))
        except (TooManyRequests, Contended):
            return False
        return True

    async def _claim(self, name: str) -> Address:
        mine = Address(user_id=new_id(), organization_id=new_id())
        try:
            return (await self._store.addresses.create(name, value=mine)).value
        except AlreadyExists:
            taken = await self._store.addresses.get(name)
        return taken or await self._claim(name)

    async def _pretend(self, name: str) -> None:
        """Reads and writes as much as a mail would cost, so that the time taken tells nothing either."""
        await self._store.verifications.get(new_id())
        await self._store.decoys.upsert(
            name, initial=lambda: Decoy(at=clock.now()), change=lambda *_: Decoy(at=clock.now())
        )

    async def _created(self, form: RegisterIn, verification: Verification) -> bool:
        organization = Organization(
            organization_id=verification.organization_id,
            name=verification.organization_name,
            created_at=verification.created_at,
        )
        await asyncio.gather(self._store_verification(verification), self._found(organization))
        reach(PREPARED)
        registered = UserRegistered(
            user_id=verification.user_id,
            organization_id=verification.organization_id,
            verification_id=verification.verification_id,
        )
        try:
            await self._store.users.create(
                verification.user_id, value=_owner(form.email, verification), events=[registered]
            )
        except AlreadyExists:
            return False
        reach(CREATED)
        return True

    async def _found(self, organization: Organization) -> None:
        with suppress(AlreadyExists):
            await self._store.organizations.create(organization.organization_id, value=organization)

    async def _repeat(self, verification: Verification) -> None:
        await self._store_verification(verification)

        def change(user: User, emit: Emit) -> User:
            if user.verified_at:
                emit(_repeated(user, verification))
                return user
            latest = {
                "full_name": verification.full_name,
                "password": verification.password,
                "verification_id": verification.verification_id,
            }
            changed = user.model_copy(update=latest)
            emit(_requested(changed))
            return changed

        await self._store.users.update(verification.user_id, change=change)

    async def _store_verification(self, verification: Verification) -> None:
        with suppress(AlreadyExists):
            await self._store.verifications.create(verification.verification_id, value=verification)

    async def _revive_verification(self, user: User) -> None:
        if await self._store.verifications.get(user.verification_id):
            return
        organization_id = user.memberships[0].organization_id
        organization = await self._store.organizations.get(organization_id)
        revived = Verification(
            verification_id=user.verification_id,
            user_id=user.user_id,
            organization_id=organization_id,
            full_name=user.full_name,
            organization_name=organization.name if organization else user.full_name,
            password=user.password,
            tokens=(),
            created_at=clock.now(),
        )
        await self._store_verification(revived)


def _typed(form: RegisterIn, password: PasswordHash, address: Address) -> Verification:
    return Verification(
        verification_id=new_id(),
        user_id=address.user_id,
        organization_id=address.organization_id,
        full_name=form.full_name,
        organization_name=form.organization_name,
        password=password,
        tokens=(),
        created_at=clock.now(),
    )


def _owner(email: str, verification: Verification) -> User:
    return User(
        user_id=verification.user_id,
        email=email,
        full_name=verification.full_name,
        password=verification.password,
        memberships=(Membership(organization_id=verification.organization_id, roles=("owner",)),),
        verification_id=verification.verification_id,
        created_at=verification.created_at,
        verified_at=None,
    )


def _requested(user: User) -> VerificationRequested:
    organization_id = user.memberships[0].organization_id
    return VerificationRequested(
        user_id=user.user_id, organization_id=organization_id, verification_id=user.verification_id
    )


def _repeated(user: User, verification: Verification) -> RegistrationRepeated:
    return RegistrationRepeated(
        user_id=user.user_id,
        organization_id=verification.organization_id,
        notice_id=verification.verification_id,
    )
