"""Who has which address, and who is who."""

import hmac
from collections.abc import Iterator

from omnify_auth.addresses import digest
from omnify_auth.records import Address, Membership, ResourceGrant, Session, User
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

    async def pseudonym(self, address: str) -> str:
        """What the proof of consents is kept under once their giver is erased; another key's digest than any other."""
        return digest(address, await self._roots.key("consent proofs"))

    async def owner(self, name: str) -> User | None:
        """The account that claimed the address with this name."""
        return await self.claimed(name, await self._store.addresses.get(name))

    async def claimed(self, name: str, address: Address | None) -> User | None:
        """The account behind the claim `name`; one without it was left by a registration that did not finish.

        A claim on an address that its account does not have (yet, or any more) is nobody's.
        """
        user = await self._store.users.get(address.user_id if address else new_id())
        return user if user and not user.blocked and hmac.compare_digest(await self.name(user.email), name) else None

    async def member(self, user_id: str) -> User:
        """The account of a signed-in user, to be shown: up to a second old. Raises Unauthorized when it is gone."""
        user = await self._store.shown_users.get(user_id)
        if user is None or user.blocked:
            raise Unauthorized("the account no longer exists")
        return user

    async def contact(self, user_id: str) -> User:
        """The account to write to. Raises NotFound."""
        user = await self._store.users.get(user_id)
        if user is None or user.erased_at:
            raise NotFound("no such user")
        return user


def roles_in(user: User, organization_id: str) -> tuple[str, ...]:
    """The user's roles in an organisation; none for a stranger, or who is disabled there."""
    found = (m.roles for m in _active(user) if m.organization_id == organization_id)
    return next(found, ())


def grants_in(user: User, organization_id: str) -> tuple[ResourceGrant, ...]:
    """What the user was granted in an organisation, ended or not; nothing where they may not work."""
    found = (m.grants for m in _active(user) if m.organization_id == organization_id)
    return next(found, ())


def is_active(user: User, organization_id: str) -> bool:
    """Whether a user may work in an organisation."""
    return any(m.organization_id == organization_id for m in _active(user))


def _active(user: User) -> Iterator[Membership]:
    return (m for m in user.memberships if not m.disabled_at and not user.blocked)


def home_of(user: User) -> str:
    """The organisation that a user signs in to: the last one worked in.

    Who belongs to none works in a space of their own, where they have no role: its id is the user's.
    """
    if user.home_organization_id and is_active(user, user.home_organization_id):
        return user.home_organization_id
    return next((m.organization_id for m in _active(user)), user.user_id)


def placed(session: Session, user: User) -> Session:
    """The session in an organisation where its user may work: the one that it was begun in, or else their home."""
    if is_active(user, session.organization_id):
        return session
    return session.model_copy(update={"organization_id": home_of(user)})
