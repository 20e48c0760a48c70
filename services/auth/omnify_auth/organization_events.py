"""Events about organisations: who belongs to them, and what they let whom do. Published with those of `events`."""

from datetime import datetime

from omnify_shared.events import EventData


class OrganizationCreated(EventData, type="omnify.auth.organization.created.v1"):
    """A user founded another organisation. `subject` is the organisation's id."""

    organization_id: str
    user_id: str


class OrganizationRenamed(EventData, type="omnify.auth.organization.renamed.v1"):
    """An organisation has another name. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str


class OrganizationDeleted(EventData, type="omnify.auth.organization.deleted.v1"):
    """An owner deleted an organisation: what is held for it is to be erased. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str


class MemberInvited(EventData, type="omnify.auth.member.invited.v1"):
    """Somebody was asked to join an organisation. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str
    invitation_id: str
    role: str


class InvitationWithdrawn(EventData, type="omnify.auth.invitation.withdrawn.v1"):
    """An open invitation counts no more. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str
    invitation_id: str


class MemberAdded(EventData, type="omnify.auth.member.added.v1"):
    """A user accepted the invitation of `actor_id`. `subject` is the organisation's id."""

    user_id: str
    organization_id: str
    actor_id: str
    roles: tuple[str, ...]


class MemberChanged(EventData, type="omnify.auth.member.changed.v1"):
    """A member has other roles, or was disabled or enabled. `subject` is the organisation's id."""

    user_id: str
    organization_id: str
    actor_id: str
    roles: tuple[str, ...]
    disabled: bool


class MemberRemoved(EventData, type="omnify.auth.member.removed.v1"):
    """A member left, or was taken away by `actor_id`. `subject` is the organisation's id."""

    user_id: str
    organization_id: str
    actor_id: str


class MemberSignedOut(EventData, type="omnify.auth.member.signed_out.v1"):
    """`actor_id` ends a member's sessions in the organisation. `subject` is the organisation's id."""

    user_id: str
    organization_id: str
    actor_id: str


class OwnershipTransferred(EventData, type="omnify.auth.ownership.transferred.v1"):
    """An owner, `actor_id`, stepped down to admin for a member to be owner. `subject` is the organisation's id."""

    user_id: str
    organization_id: str
    actor_id: str


class RoleCreated(EventData, type="omnify.auth.role.created.v1"):
    """An organisation made a role of its own. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str
    role_id: str


class RoleChanged(EventData, type="omnify.auth.role.changed.v1"):
    """A role is called otherwise, or may do other things (`access_changed`). `subject` is the organisation's id."""

    organization_id: str
    actor_id: str
    role_id: str
    access_changed: bool


class RoleDeleted(EventData, type="omnify.auth.role.deleted.v1"):
    """A role that nobody had was taken away. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str
    role_id: str


class GrantGiven(EventData, type="omnify.auth.grant.given.v1"):
    """A member may do something with one resource, until `expires_at`. `subject` is the user's id."""

    user_id: str
    organization_id: str
    actor_id: str
    resource_type: str
    resource_id: str
    permissions: tuple[str, ...]
    expires_at: datetime


class GrantRevoked(EventData, type="omnify.auth.grant.revoked.v1"):
    """What a member was granted on one resource was taken away. `subject` is the user's id."""

    user_id: str
    organization_id: str
    actor_id: str
    resource_type: str
    resource_id: str


ORGANIZATION_EVENTS = (
    OrganizationCreated,
    OrganizationRenamed,
    OrganizationDeleted,
    MemberInvited,
    InvitationWithdrawn,
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    MemberSignedOut,
    OwnershipTransferred,
    RoleCreated,
    RoleChanged,
    RoleDeleted,
    GrantGiven,
    GrantRevoked,
)
