"""Who has which address, and who is who."""

import hmac

from omnify_auth.addresses import digest
from omnify_auth.records import Address, User
from omnify_auth.store import Store
from omnify_auth.vault import RootKeys
from omnify_shared.ids import new_id
from omnify_shared.problems import NotFound, Unauthorized


class Directory:
    """Looks accounts up. An unknown address costs the same reads as a known one."""

    def __init__(self, store: Store, roots: RootKeys) -> None:
        self._store = store
        self._roots = roots

    async def name(self, address: str) -> str:
        """The name under which an address is claimed, guarded and limited: its keyed digest."""
        return digest(address, await self._roots.key("addresses"))

    async def owner(self, name: str) -> User | None:
        """The account that claimed the address with this name."""
        return await self.claimed(name, await self._store.addresses.get(name))

    async def claimed(self, name: str, address: Address | None) -> User | None:
        """The account behind the claim `name`; one without it was left by a registration that did not finish.

        A claim on an address that its account does not have (yet, or any more) is nobody's.
        """
        user = await self._store.users.get(address.user_id if address else new_id())
        return user if user and hmac.compare_digest(await self.name(user.email), name) else None

    async def member(self, user_id: str) -> User:
        """The account of a signed-in user, to be shown: up to a second old. Raises Unauthorized when it is gone."""
        user = await self._store.shown_users.get(user_id)
        if user is None:
            raise Unauthorized("the account no longer exists")
        return user

    async def contact(self, user_id: str) -> User:
        """The account to write to. Raises NotFound."""
        user = await self._store.users.get(user_id)
        if user is None:
            raise NotFound("no such user")
        return user


def roles_in(user: User, organization_id: str) -> tuple[str, ...]:
    """The user's roles in an organisation; none for a stranger."""
    return next((m.roles for m in user.memberships if m.organization_id == organization_id), ())


def home_of(user: User) -> str:
    """The organisation that a user signs in to."""
    return user.memberships[0].organization_id
