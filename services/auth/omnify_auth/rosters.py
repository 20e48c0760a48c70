"""Who belongs to an organisation, and who was asked to: one document each, and its rules."""

from collections.abc import Callable
from datetime import datetime

from omnify_auth.records import Membership, Record, User
from omnify_shared import clock
from omnify_shared.problems import Conflict, NotFound
from omnify_shared.vault import Sealed

OWNER = "owner"
MOST_MEMBERS = 1000
MOST_INVITATIONS = 100


class Member(Record):
    """One who belongs to an organisation; who is disabled keeps the place and may do nothing."""

    user_id: str
    roles: tuple[str, ...]
    joined_at: datetime
    disabled_at: datetime | None = None


class Invitation(Record):
    """An open invitation. Its id is its letter's; `name` is the name of the address in the directory.

    `email` lies in `sealed`, under the service's key, and is empty then.
    """

    invitation_id: str
    name: str
    email: str
    role: str
    invited_by: str
    invited_at: datetime
    expires_at: datetime
    sealed: Sealed | None = None


class Roster(Record):
    """The members of an organisation in the order of their coming, and its open invitations.

    Where there is none yet, the organisation's founder is its only member.
    """

    organization_id: str
    members: tuple[Member, ...]
    invitations: tuple[Invitation, ...] = ()
    deleted_at: datetime | None = None

    def member(self, user_id: str) -> Member:
        """One of the members. Raises NotFound."""
        for member in self.members:
            if member.user_id == user_id and not self.deleted_at:
                return member
        raise NotFound("no such member")

    def has(self, user_id: str) -> bool:
        """Whether the user is a member, disabled or not."""
        return not self.deleted_at and any(member.user_id == user_id for member in self.members)

    def membership(self, user_id: str) -> Membership | None:
        """What the user's own document is to say about it."""
        if not self.has(user_id):
            return None
        member = self.member(user_id)
        return Membership(organization_id=self.organization_id, roles=member.roles, disabled_at=member.disabled_at)

    def open(self, now: datetime) -> tuple[Invitation, ...]:
        """The invitations that still count."""
        return tuple(one for one in self.invitations if now < one.expires_at and not self.deleted_at)


def founded(user: User, organization_id: str) -> Roster:
    """The roster of an organisation that nobody but its founder ever belonged to. Raises NotFound for anybody else."""
    for membership in user.memberships:
        if membership.organization_id == organization_id:
            founder = Member(user_id=user.user_id, roles=membership.roles, joined_at=user.created_at)
            return Roster(organization_id=organization_id, members=(founder,))
    raise NotFound("no such organisation")


def joined(roster: Roster, member: Member) -> Roster:
    """The roster with one more member. Raises Conflict for a member, or when it is full."""
    if roster.has(member.user_id):
        raise Conflict("already a member of the organisation")
    if len(roster.members) >= MOST_MEMBERS:
        raise Conflict(f"an organisation may have {MOST_MEMBERS} members")
    return roster.model_copy(update={"members": (*roster.members, member)})


def changed(roster: Roster, user_id: str, change: Callable[[Member], Member | None]) -> Roster:
    """The roster with one member changed, or taken away. Raises NotFound; Conflict where no owner would be left."""
    roster.member(user_id)
    made = ((change(one) if one.user_id == user_id else one) for one in roster.members)
    members = tuple(one for one in made if one)
    if not any(OWNER in one.roles and one.disabled_at is None for one in members):
        raise Conflict("an organisation needs an owner: make somebody else one first, or delete the organisation")
    return roster.model_copy(update={"members": members})


def handed_over(roster: Roster, owner_id: str, heir_id: str) -> Roster:
    """The roster after an owner made another member owner and stepped down to admin. Raises NotFound, Conflict."""
    if owner_id == heir_id or roster.member(heir_id).disabled_at:
        raise Conflict("the new owner must be another member who is not disabled")
    if OWNER not in roster.member(owner_id).roles:
        raise Conflict("only an owner can hand the organisation over")
    risen = changed(roster, heir_id, lambda one: one.model_copy(update={"roles": (OWNER,)}))
    return changed(risen, owner_id, lambda one: one.model_copy(update={"roles": ("admin",)}))


def invited(roster: Roster, invitation: Invitation) -> Roster:
    """The roster with one more invitation, in place of any before to the same address. Raises Conflict when full."""
    others = tuple(one for one in roster.open(clock.now()) if one.name != invitation.name)
    if len(others) >= MOST_INVITATIONS:
        raise Conflict(f"an organisation may have {MOST_INVITATIONS} open invitations")
    return roster.model_copy(update={"invitations": (*others, invitation)})


def without(roster: Roster, invitation_id: str) -> tuple[Roster, Invitation]:
    """The roster less one open invitation, and that. Raises NotFound."""
    for one in roster.open(clock.now()):
        if one.invitation_id == invitation_id:
            left = tuple(other for other in roster.invitations if other != one)
            return roster.model_copy(update={"invitations": left}), one
    raise NotFound("no such invitation")
