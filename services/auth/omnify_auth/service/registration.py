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

from omnify_auth.events import RegistrationRepeated, UserRegistered, VerificationRequested
from omnify_auth.hashing import Hasher
from omnify_auth.passwords import context_words
from omnify_auth.records import Address, Membership, Organization, PasswordHash, User, Verification
from omnify_auth.schemas.accounts import RegisterIn
from omnify_auth.service.directory import Directory, home_of
from omnify_auth.service.flood import MailFlood
from omnify_auth.service.strength import refuse_weak
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id

CLAIMED = point("auth.register.claimed")
PREPARED = point("auth.register.prepared")
CREATED = point("auth.register.created")


class Registration:
    """Makes accounts. Nothing here tells its caller whether an address is known."""

    def __init__(
        self, directory: Directory, store: Store, hasher: Hasher, flood: MailFlood, settings: AuthSettings
    ) -> None:
        self._directory = directory
        self._store = store
        self._hasher = hasher
        self._flood = flood
        self._settings = settings

    async def register(self, form: RegisterIn, locale: str | None) -> None:
        """Registers, or has the owner of the address told that somebody tried.

        Raises: Unprocessable for a weak password; HashingBusy; SidecarUnavailable.
        """
        context = context_words(form.email, form.full_name, form.organization_name)
        refuse_weak(form.password, "password", context, self._settings)
        password = await self._hasher.hash(form.password)
        name = await self._directory.name(form.email)
        may_mail = await self._flood.may_mail(name)
        verification = _typed(form, password, await self._claim(name), locale)
        reach(CLAIMED)
        user = await self._store.users.get(verification.user_id)
        if user is None and await self._created(form, verification):
            return
        if may_mail:
            return await self._repeat(verification)
        await self._flood.pretend(name)

    async def resend(self, email: str) -> None:
        """Asks for another verification mail; does nothing for an unknown or a verified address."""
        name = await self._directory.name(email)
        may_mail = await self._flood.may_mail(name)
        user = await self._directory.owner(name)
        if user is None or user.verified_at or not may_mail:
            return await self._flood.pretend(name)
        await self.ask_again(user)

    async def ask_again(self, user: User) -> None:
        """Has another verification mail sent to an account that waits for one."""
        await self._revive_verification(user)

        def change(user: User, emit: Emit) -> User:
            if not user.verified_at:
                emit(_requested(user))
            return user

        await self._store.users.update(user.user_id, change=change)

    async def _claim(self, name: str) -> Address:
        mine = Address(user_id=new_id(), organization_id=new_id())
        try:
            return (await self._store.addresses.create(name, value=mine)).value
        except AlreadyExists:
            taken = await self._store.addresses.get(name)
        return taken or await self._claim(name)

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
                "locale": verification.locale,
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
        organization_id = home_of(user)
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
            locale=user.locale,
        )
        await self._store_verification(revived)


def _typed(form: RegisterIn, password: PasswordHash, address: Address, locale: str | None) -> Verification:
    return Verification(
        verification_id=new_id(),
        user_id=address.user_id,
        organization_id=address.organization_id,
        full_name=form.full_name,
        organization_name=form.organization_name,
        password=password,
        tokens=(),
        created_at=clock.now(),
        locale=locale,
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
        locale=verification.locale,
    )


def _requested(user: User) -> VerificationRequested:
    organization_id = home_of(user)
    return VerificationRequested(
        user_id=user.user_id, organization_id=organization_id, verification_id=user.verification_id
    )


def _repeated(user: User, verification: Verification) -> RegistrationRepeated:
    return RegistrationRepeated(
        user_id=user.user_id,
        organization_id=verification.organization_id,
        notice_id=verification.verification_id,
    )
