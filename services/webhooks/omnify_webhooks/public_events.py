"""The events that an organisation may have sent to its endpoints, each with the fields that leave the platform.

A type that is not here is never sent, and neither is a field: what producers add stays inside until it is added here.
The docstrings are the published descriptions.
"""

from datetime import date, datetime

from omnify_shared.events import EventData


class PublicEvent(EventData, type="omnify.webhooks.public.event.v1"):
    """An event of an organisation."""

    organization_id: str


class OrganizationRenamed(PublicEvent, type="omnify.auth.organization.renamed.v1"):
    """The organisation has another name."""

    actor_id: str


class MemberInvited(PublicEvent, type="omnify.auth.member.invited.v1"):
    """Somebody was asked to join."""

    actor_id: str
    invitation_id: str
    role: str


class InvitationWithdrawn(PublicEvent, type="omnify.auth.invitation.withdrawn.v1"):
    """An open invitation counts no more."""

    actor_id: str
    invitation_id: str


class MemberAdded(PublicEvent, type="omnify.auth.member.added.v1"):
    """A user joined."""

    user_id: str
    actor_id: str
    roles: tuple[str, ...]


class MemberChanged(PublicEvent, type="omnify.auth.member.changed.v1"):
    """A member has other roles, or was disabled or enabled."""

    user_id: str
    actor_id: str
    roles: tuple[str, ...]
    disabled: bool


class MemberRemoved(PublicEvent, type="omnify.auth.member.removed.v1"):
    """A member left, or was taken away."""

    user_id: str
    actor_id: str


class OwnershipTransferred(PublicEvent, type="omnify.auth.ownership.transferred.v1"):
    """The organisation has another owner."""

    user_id: str
    actor_id: str


class RoleCreated(PublicEvent, type="omnify.auth.role.created.v1"):
    """The organisation made a role of its own."""

    actor_id: str
    role_id: str


class RoleChanged(PublicEvent, type="omnify.auth.role.changed.v1"):
    """A role is called otherwise, or may do other things."""

    actor_id: str
    role_id: str
    access_changed: bool


class RoleDeleted(PublicEvent, type="omnify.auth.role.deleted.v1"):
    """A role was taken away."""

    actor_id: str
    role_id: str


class GrantGiven(PublicEvent, type="omnify.auth.grant.given.v1"):
    """A member may do something with one resource for a time."""

    user_id: str
    actor_id: str
    resource_type: str
    resource_id: str
    permissions: tuple[str, ...]
    expires_at: datetime


class GrantRevoked(PublicEvent, type="omnify.auth.grant.revoked.v1"):
    """What a member was granted on one resource was taken away."""

    user_id: str
    actor_id: str
    resource_type: str
    resource_id: str


class MfaPolicyChanged(PublicEvent, type="omnify.auth.mfa_policy.changed.v1"):
    """The organisation asks others, or fewer, for a second factor."""

    actor_id: str
    mfa_policy: str


class SessionPolicyChanged(PublicEvent, type="omnify.auth.session_policy.changed.v1"):
    """Sessions last longer or shorter."""

    actor_id: str
    session_idle_seconds: int
    session_overall_seconds: int


class ClientCreated(PublicEvent, type="omnify.auth.oauth_client.created.v1"):
    """An app was registered."""

    client_id: str
    actor_id: str


class ClientChanged(PublicEvent, type="omnify.auth.oauth_client.changed.v1"):
    """What an app may do, or where it lives, was changed."""

    client_id: str
    actor_id: str


class ClientDeleted(PublicEvent, type="omnify.auth.oauth_client.deleted.v1"):
    """An app was taken away."""

    client_id: str
    actor_id: str


class ApiKeyCreated(PublicEvent, type="omnify.auth.api_key.created.v1"):
    """A member made an API key."""

    key_id: str
    user_id: str


class ApiKeyRevoked(PublicEvent, type="omnify.auth.api_key.revoked.v1"):
    """A member revoked an API key."""

    key_id: str
    user_id: str


class ImportCompleted(PublicEvent, type="omnify.analytics.import.completed.v1"):
    """An order file was taken in; its orders count from now on."""

    import_id: str
    rows_accepted: int
    rows_rejected: int
    orders: int
    first_day: date
    last_day: date
    currency: str


class ImportFailed(PublicEvent, type="omnify.analytics.import.failed.v1"):
    """An order file could not be taken in; none of it counts."""

    import_id: str
    reason: str


class FileUploaded(PublicEvent, type="omnify.files.file.uploaded.v1"):
    """A file came in whole, and waits for its checks."""

    file_id: str
    purpose: str
    kind: str
    size: int


class FileReady(PublicEvent, type="omnify.files.file.ready.v1"):
    """A file passed its checks and can be downloaded."""

    file_id: str
    purpose: str
    kind: str
    media_type: str
    size: int
    sha256: str


class FileRefused(PublicEvent, type="omnify.files.file.refused.v1"):
    """A file did not pass its checks."""

    file_id: str
    purpose: str
    reason: str


class FileDeleted(PublicEvent, type="omnify.files.file.deleted.v1"):
    """A file was deleted."""

    file_id: str
    purpose: str


PUBLIC: dict[str, type[PublicEvent]] = {
    reader.event_type: reader
    for reader in (
        ImportCompleted,
        ImportFailed,
        FileUploaded,
        FileReady,
        FileRefused,
        FileDeleted,
        OrganizationRenamed,
        MemberInvited,
        InvitationWithdrawn,
        MemberAdded,
        MemberChanged,
        MemberRemoved,
        OwnershipTransferred,
        RoleCreated,
        RoleChanged,
        RoleDeleted,
        GrantGiven,
        GrantRevoked,
        MfaPolicyChanged,
        SessionPolicyChanged,
        ClientCreated,
        ClientChanged,
        ClientDeleted,
        ApiKeyCreated,
        ApiKeyRevoked,
    )
}
TEST_TYPE = "omnify.webhooks.test.sent.v1"
