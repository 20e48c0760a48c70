"""Another e-mail address for an account, after proof of it.

Order of the writes of a confirmation, and why a crash after any of them does no harm:

1. claim of the new address. Crash: the link may be used again; a claim whose user has another address signs nobody in.
2. user, with the event. From here on the new address counts and the old one does not.
3. the claim on the old address is dropped, here and again when auth hears the event.
"""

from omnify_auth.errors import InvalidToken
from omnify_auth.events import AddressChanged, LetterRequested, RegistrationRepeated
from omnify_auth.records import Address, Letter, User
from omnify_auth.service.directory import Directory, home_of
from omnify_auth.service.flood import MailFlood
from omnify_auth.service.letters import Letters
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists, Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.problems import Conflict

CLAIMED = point("auth.address.claimed")
CHANGED = point("auth.address.changed")


class AddressChange:
    """Tells nobody whether an address is known, and both addresses what happens."""

    def __init__(self, directory: Directory, store: Store, letters: Letters, flood: MailFlood) -> None:
        self._directory = directory
        self._store = store
        self._letters = letters
        self._flood = flood

    async def ask(self, user_id: str, address: str) -> None:
        """Mails a link to the new address and a notice to the present one. Raises Conflict for the present one."""
        user = await self._directory.contact(user_id)
        name = await self._directory.name(address)
        if name == await self._directory.name(user.email):
            raise Conflict("this is the account's address already")
        events: list[LetterRequested] = []
        if await self._flood.may_mail(await self._directory.name(user.email)):
            events.append(await self._letters.write("email_change_asked", user))
        if await self._flood.may_mail(name):
            events += await self._to_new(user, name, address)

        def change(user: User, emit: Emit) -> User:
            for event in events:
                emit(event)
            return user

        await self._store.users.update(user_id, change=change)

    async def confirm(self, token: str) -> None:
        """Changes the address with the token of the mailed link, once. Raises InvalidToken, also when it is taken."""
        letter = await self._letters.read(token, "email_change")
        user = await self._store.users.get(letter.user_id)
        if user is None or _is_void(letter, user):
            raise InvalidToken
        await self._claim(await self._directory.name(letter.to), user)
        reach(CLAIMED)
        told = await self._letters.write("email_changed", user)
        left = await self._directory.name(user.email)

        def change(user: User, emit: Emit) -> User:
            if _is_void(letter, user):
                raise InvalidToken
            emit(AddressChanged(user_id=user.user_id, organization_id=home_of(user)))
            emit(told)
            return user.model_copy(update={"email": letter.to, "address_changed_at": clock.now(), "left_address": left})

        try:
            await self._store.users.update(user.user_id, change=change)
        except Missing:
            raise InvalidToken from None
        reach(CHANGED)
        await self.release(user.user_id)
        await self._store.letters.delete(letter.letter_id)

    async def release(self, user_id: str) -> None:
        """Drops the claim on the address that a user has left."""
        user = await self._store.users.get(user_id)
        if user is None or user.left_address is None or user.left_address == await self._directory.name(user.email):
            return
        claim = await self._store.addresses.get(user.left_address)
        if claim and claim.user_id == user_id:
            await self._store.addresses.delete(user.left_address)

    async def _to_new(self, user: User, name: str, address: str) -> list[LetterRequested]:
        """The letter with the link; none where somebody else has the address, who is told then."""
        claim = await self._store.addresses.get(name)
        if claim is None or claim.user_id == user.user_id:
            return [await self._letters.write("email_change", user, to=address)]
        owner = await self._directory.owner(name)
        if owner and owner.verified_at:
            await self._tell_owner(owner)
        return []

    async def _tell_owner(self, owner: User) -> None:
        told = RegistrationRepeated(user_id=owner.user_id, organization_id=home_of(owner), notice_id=new_id())

        def change(user: User, emit: Emit) -> User:
            emit(told)
            return user

        await self._store.users.update(owner.user_id, change=change)

    async def _claim(self, name: str, user: User) -> None:
        mine = Address(user_id=user.user_id, organization_id=home_of(user))
        try:
            await self._store.addresses.create(name, value=mine)
        except AlreadyExists:
            claim = await self._store.addresses.get(name)
            if claim is None or claim.user_id != user.user_id:
                raise InvalidToken from None


def _is_void(letter: Letter, user: User) -> bool:
    """Whether the password or the address was changed since the letter was written."""
    changes = (user.password_changed_at, user.address_changed_at)
    return any(change is not None and change >= letter.created_at for change in changes)
