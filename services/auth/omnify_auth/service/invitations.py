"""Asking somebody to join: bound to an address, an organisation and a role, for 72 hours, once.

What a link is worth, the organisation's roster says; accepting takes the invitation off it and the member on it in one
write. Nothing tells the inviter whether the address has an account.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from omnify_auth.errors import InvalidToken
from omnify_auth.events import AddressVerified, LetterRequested
from omnify_auth.hashing import Hasher
from omnify_auth.organization_events import InvitationWithdrawn, MemberAdded, MemberInvited
from omnify_auth.passwords import context_words
from omnify_auth.records import Address, User
from omnify_auth.rosters import Invitation, Member, Roster, invited, joined, without
from omnify_auth.service.directory import Directory
from omnify_auth.service.flood import MailFlood
from omnify_auth.service.letters import Letters
from omnify_auth.service.members import Members
from omnify_auth.service.roles import Roles
from omnify_auth.service.sealing import Sealing
from omnify_auth.service.strength import refuse_weak
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists, Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.identity import Principal
from omnify_shared.ids import new_id
from omnify_shared.problems import Conflict, Forbidden, NotFound

REGISTERED = point("auth.invited.registered")
KIND: Final = "invitation"


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link invites to, for who holds it."""

    organization_id: str
    organization_name: str
    invitation: Invitation
    has_account: bool


class Invitations:
    """Made, listed, withdrawn, accepted by a signed-in user, or by somebody who makes their account with it."""

    def __init__(
        self,
        directory: Directory,
        store: Store,
        hasher: Hasher,
        sealing: Sealing,
        letters: Letters,
        flood: MailFlood,
        members: Members,
        settings: AuthSettings,
    ) -> None:
        self._directory = directory
        self._store = store
        self._hasher = hasher
        self._sealing = sealing
        self._letters = letters
        self._flood = flood
        self._members = members
        self._roles = Roles(store)
        self._settings = settings

    async def invite(self, actor: Principal, email: str, role: str) -> Invitation:
        """Asks an address to join; a link that it got before is void. Raises Forbidden, Conflict."""
        book = await self._roles.book(actor.organization_id)
        book.check_gives(actor.roles, role)
        roster = await self._members.roster(actor)
        name = await self._directory.name(email)
        known = await self._directory.owner(name)
        if known and known.verified_at and roster.has(known.user_id):
            raise Conflict("whoever has this address is a member already")
        letter = await self._letter(actor, email) if await self._flood.may_mail(name) else None
        now = clock.now()
        invitation = Invitation(
            invitation_id=letter.letter_id if letter else new_id(),
            name=name,
            email=email,
            role=role,
            invited_by=actor.user_id,
            invited_at=now,
            expires_at=now + self._settings.invitation_ttl,
        )

        kept = await self._sealing.of_invitation(actor.organization_id, invitation)

        def change(roster: Roster, emit: Emit) -> Roster:
            member = roster.member(actor.user_id)
            book.check_gives(() if member.disabled_at else member.roles, role)
            added = invited(roster, kept)
            whose = {"organization_id": roster.organization_id, "actor_id": actor.user_id}
            emit(MemberInvited(**whose, invitation_id=invitation.invitation_id, role=role))
            if letter:
                emit(letter)
            return added

        await self._members.write(actor, change)
        return invitation

    async def of(self, actor: Principal) -> Sequence[Invitation]:
        """The open invitations of the actor's organisation, newest first."""
        roster = await self._members.roster(actor)
        found = reversed(roster.open(clock.now()))
        return tuple([await self._sealing.invitation(roster.organization_id, one) for one in found])

    async def withdraw(self, actor: Principal, invitation_id: str) -> None:
        """Voids an invitation. Raises NotFound."""

        def change(roster: Roster, emit: Emit) -> Roster:
            left, _ = without(roster, invitation_id)
            whose = {"organization_id": roster.organization_id, "actor_id": actor.user_id}
            emit(InvitationWithdrawn(**whose, invitation_id=invitation_id))
            return left

        await self._members.write(actor, change)

    async def offer(self, token: str) -> Offer:
        """What a link invites to. Raises InvalidToken."""
        letter = await self._letters.read(token, KIND)
        organization_id = letter.organization_id or ""
        roster = await self._store.rosters.get(organization_id)
        organization = await self._store.organizations.get(organization_id)
        if roster is None or organization is None:
            raise InvalidToken
        try:
            _, invitation = without(roster, letter.letter_id)
        except NotFound:
            raise InvalidToken from None
        invitation = await self._sealing.invitation(organization_id, invitation)
        owner = await self._directory.owner(invitation.name)
        has_account = owner is not None and owner.verified_at is not None
        return Offer(organization_id, organization.name, invitation, has_account)

    async def accept(self, user_id: str, token: str) -> str:
        """Makes the user, whose proven address was invited, a member; the organisation's id.

        Raises InvalidToken; Forbidden for another address; Conflict for a member.
        """
        offer = await self.offer(token)
        user = await self._directory.contact(user_id)
        if await self._directory.name(user.email) != offer.invitation.name:
            raise Forbidden("the invitation went to another address: sign in with the account of that one")
        await self._join(user_id, offer)
        return offer.organization_id

    async def register(self, token: str, full_name: str, password: str, locale: str | None) -> str:
        """Makes an account of the invited address, which the link proves, and a member of it; the organisation's id.

        Raises InvalidToken; Unprocessable for a weak password; Conflict where the address has an account.
        """
        offer = await self.offer(token)
        email = offer.invitation.email
        refuse_weak(password, "password", context_words(email, full_name, offer.organization_name), self._settings)
        hashed = await self._hasher.hash(password)
        claim = await self._claim(offer)
        now = clock.now()
        made = User(
            user_id=claim.user_id,
            email=email,
            full_name=full_name,
            password=hashed,
            memberships=(),
            verification_id=new_id(),
            created_at=now,
            verified_at=now,
            locale=locale,
        )
        await self._write(made, offer)
        reach(REGISTERED)
        await self._join(made.user_id, offer)
        return offer.organization_id

    async def _letter(self, actor: Principal, email: str) -> LetterRequested:
        inviter = await self._directory.contact(actor.user_id)
        organization = await self._store.organizations.get(actor.organization_id)
        values = {"inviter": inviter.full_name, "organization": organization.name if organization else ""}
        stranger = inviter.model_copy(update={"full_name": ""})  # who is written to is not greeted by a name
        return await self._letters.write(KIND, stranger, to=email, organization_id=actor.organization_id, values=values)

    async def _join(self, user_id: str, offer: Offer) -> None:
        invitation = offer.invitation
        member = Member(user_id=user_id, roles=(invitation.role,), joined_at=clock.now())

        def change(roster: Roster, emit: Emit) -> Roster:
            try:
                left, _ = without(roster, invitation.invitation_id)
            except NotFound:
                raise InvalidToken from None
            whose = {"user_id": user_id, "organization_id": offer.organization_id, "actor_id": invitation.invited_by}
            emit(MemberAdded(**whose, roles=member.roles))
            return joined(left, member)

        try:
            stored = await self._store.rosters.update(offer.organization_id, change=change)
        except Missing:
            raise InvalidToken from None
        await self._members.follow(stored.value, user_id)
        await self._store.letters.delete(invitation.invitation_id)

    async def _claim(self, offer: Offer) -> Address:
        name = offer.invitation.name
        mine = Address(user_id=new_id(), organization_id=offer.organization_id)
        with suppress(AlreadyExists):
            return (await self._store.addresses.create(name, value=mine)).value
        return await self._store.addresses.get(name) or mine

    async def _write(self, made: User, offer: Offer) -> None:
        """The account; one that a registration left unproven becomes the invited person's, with nothing of before."""
        verified = AddressVerified(user_id=made.user_id, organization_id=offer.organization_id)
        with suppress(AlreadyExists):
            await self._store.users.create(made.user_id, value=made, events=[verified])
            return

        def change(user: User, emit: Emit) -> User:
            if user.verified_at:
                raise Conflict("the address has an account: sign in and accept the invitation")
            emit(verified)
            return made.model_copy(update={"created_at": user.created_at})

        await self._store.users.update(made.user_id, change=change)
