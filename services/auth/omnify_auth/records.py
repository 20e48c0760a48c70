"""What auth stores: one document per aggregate. See the README for who writes which field."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from omnify_shared.vault import Sealed


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PasswordHash(Record):
    """An Argon2id string (PHC format) of the password keyed with version `pepper` of the pepper."""

    encoded: str
    pepper: int


class Address(Record):
    """The claim on an e-mail address: whoever creates it owns the address."""

    user_id: str
    organization_id: str


class ResourceGrant(Record):
    """Permissions on one resource until a date; `resource_type` is that of the permissions, `campaign` for one."""

    resource_type: str
    resource_id: str
    permissions: tuple[str, ...]
    expires_at: datetime
    given_by: str


class Membership(Record):
    organization_id: str
    roles: tuple[str, ...]
    disabled_at: datetime | None = None
    grants: tuple[ResourceGrant, ...] = ()


class PlainUser(Record):
    """An account, version 1. Until `verified_at` is set it holds what the latest registration typed, whose proof is
    `verification_id`."""

    user_id: str
    email: str
    full_name: str
    password: PasswordHash
    memberships: tuple[Membership, ...]
    verification_id: str
    created_at: datetime
    verified_at: datetime | None
    password_changed_at: datetime | None = None
    access_changed_at: datetime | None = None
    sessions_from: datetime | None = None
    """Sessions that began before have ended, but `kept_session_id`."""
    kept_session_id: str | None = None
    address_changed_at: datetime | None = None
    left_address: str | None = None
    """The name of the claim on the address before, to be dropped."""
    home_organization_id: str | None = None
    """The organisation that was worked in last, where there are several."""
    locale: str | None = None
    """The language of mails, a tag of RFC 5646; None where none is known."""
    disabled_at: datetime | None = None
    erased_at: datetime | None = None
    """All that is left is a shell: address, name and password are empty, `erasure_id` says by which erasure."""
    erasure_id: str | None = None

    @property
    def blocked(self) -> bool:
        """Whether the account may do nothing anywhere."""
        return self.disabled_at is not None or self.erased_at is not None


class User(PlainUser):
    """An account, version 2: `email` and `full_name` lie in `sealed`, under the key of the user's profile.

    This release reads both versions (`users` opens) and writes version 1, as the released one reads no other; see
    docs/decisions/0030-erasure.md.
    """

    schema_version: ClassVar[int] = 2
    written_as: ClassVar[type[BaseModel]] = PlainUser
    email: str = ""
    full_name: str = ""
    sealed: Sealed | None = None

    @classmethod
    def upgrade(cls, data: dict[str, Any], from_version: int) -> dict[str, Any]:
        """From version 1, which lacks `sealed`."""
        return data

    def downgraded(self) -> PlainUser:
        """As version 1. Raises ValueError for one that was not opened: its address would be lost."""
        if self.sealed:
            raise ValueError("a sealed user can't be written as version 1")
        return PlainUser.model_construct(**{name: getattr(self, name) for name in PlainUser.model_fields})


MfaPolicy = Literal["optional", "privileged", "required"]
"""Who of an organisation must have a second factor; privileged are owners and admins."""


class Organization(Record):
    organization_id: str
    name: str
    created_at: datetime
    mfa_policy: MfaPolicy = "privileged"
    session_idle_seconds: int | None = None
    """Less than the service's own lengths of sessions; None asks for those."""
    session_overall_seconds: int | None = None


class MailedToken(Record):
    """SHA-256 (hex) of a token that was mailed, and until when it counts."""

    digest: str
    expires_at: datetime


class Verification(Record):
    """One registration that waits for the proof of its address, with what was typed in that registration.

    Proving the address activates these very credentials. Somebody who registered the same address before or after
    can therefore not slip their own password into the account.
    """

    verification_id: str
    user_id: str
    organization_id: str
    full_name: str
    organization_name: str
    password: PasswordHash
    tokens: tuple[MailedToken, ...]
    created_at: datetime
    locale: str | None = None


class Letter(Record):
    """A mail to be: to whom, what about, and the digests of its tokens. `values` are what its template shows.

    `to`, `full_name` and `values` are empty where they are `sealed`, under the key of the user's profile or, for a
    mail that has to outlive it, the service's own. Earlier releases did not seal them.
    """

    letter_id: str
    kind: str
    to: str
    full_name: str
    user_id: str
    organization_id: str | None
    values: dict[str, str]
    tokens: tuple[MailedToken, ...]
    created_at: datetime
    redeemed_at: datetime | None
    locale: str | None = None
    sealed: Sealed | None = None
    sealed_by: Literal["profile", "service"] = "profile"


class Decoy(Record):
    """Means nothing: written where an address gets no mail, so that this takes as long as where it gets one."""

    at: datetime


class Guard(Record):
    """Consecutive failed guesses at one address, known or not."""

    failures: int
    last_failed_at: datetime


class Spent(Record):
    """The refresh token (SHA-256, hex) that was exchanged last, and when."""

    digest: str
    at: datetime


EndReason = Literal["logout", "reuse"]


class Session(Record):
    """One sign-in. Its refresh tokens are a chain; only the newest digest counts."""

    session_id: str
    user_id: str
    organization_id: str
    amr: tuple[str, ...]
    signed_in_at: datetime
    expires_at: datetime
    idle_expires_at: datetime
    digest: str
    spent: Spent | None
    ended_at: datetime | None
    ended_because: EndReason | None
    """None also where it ended as the oldest of too many: the released version would read no other word."""
    authenticated_at: datetime | None = None
    """When its user last stepped up."""
    idle_seconds: int | None = None
    """How long it may be idle, as its organisation asked at the sign-in; None in documents of earlier releases."""
    refused_at: datetime | None = None
    """When a token of it was first refused, as it was over."""
    client_id: str | None = None
    """The app that the user lets act within `scope`, begun from the sign-in `parent_id`; None for the user's own."""
    scope: tuple[str, ...] = ()
    parent_id: str | None = None


class ListedSession(Record):
    """What was seen of the device that a session began on. `network` is the /24 or /48 of its address.

    Both lie in `sealed`, under the key of the user's profile, and are None then.
    """

    session_id: str
    device_id: str
    user_agent: str | None
    network: str | None
    signed_in_at: datetime
    expires_at: datetime
    sealed: Sealed | None = None


class KnownDevice(Record):
    """A device that a user signed in from."""

    device_id: str
    last_used_at: datetime


class UserSessions(Record):
    """Where one user signed in, oldest first; whether a session still goes on, its own document says.

    `devices` are those seen before, the last used first.
    """

    user_id: str
    sessions: tuple[ListedSession, ...]
    devices: tuple[KnownDevice, ...]


class SigningKey(Record):
    """An ES256 key pair: public as JWK members, private as sealed PKCS#8 DER; signs from `signs_from` on."""

    kid: str
    x: str
    y: str
    private: Sealed
    signs_from: datetime


class Ring(Record):
    """All signing keys that are published, in the order of `signs_from`."""

    keys: tuple[SigningKey, ...]


class RootKey(Record):
    """The random key from which the keys for address digests and refresh tokens are derived."""

    sealed: Sealed


class Totp(Record):
    """A one-time-password generator (RFC 6238): its sealed secret, and the last time step that was spent."""

    secret: Sealed
    made_at: datetime
    last_step: int
    last_used_at: datetime | None


class Passkey(Record):
    """A WebAuthn credential. `passkey_id` is the credential's id and `public_key` its COSE key, both base64url."""

    passkey_id: str
    name: str
    public_key: str
    sign_count: int
    aaguid: str
    device_type: str
    backed_up: bool
    added_at: datetime
    last_used_at: datetime | None


class Factors(Record):
    """The second factors of one user. A generator counts once a code of it was shown; until then it is pending.

    Recovery codes are keyed digests of those that are left.
    """

    user_id: str
    totp: Totp | None
    pending_totp: Totp | None
    recovery_codes: tuple[str, ...]
    recovery_codes_made_at: datetime | None
    passkeys: tuple[Passkey, ...] = ()
    recovery_asked_at: datetime | None = None
    """When their user, who lost them, showed password and mailbox; an administrator may take them away then."""


class Challenge(Record):
    """A sign-in that waits for its second factor; void once used or when the password changes.

    `digest` is SHA-256 (hex) of the token's secret, `password` that of the hash which was matched.
    """

    challenge_id: str
    user_id: str
    digest: str
    password: str
    used_at: datetime | None


class Ceremony(Record):
    """A WebAuthn challenge (base64url) that waits for its answer: of `user_id` who adds a passkey, or of whoever
    signs in with one. Counts once."""

    ceremony_id: str
    user_id: str | None
    challenge: str
    used_at: datetime | None


class Consent(Record):
    """One acceptance of a legal document or its withdrawal, with what the server saw of the request."""

    consent_id: str
    action: Literal["accepted", "withdrawn"]
    document_type: str
    version: str
    sha256: str
    organization_id: str
    at: datetime
    address: str | None
    user_agent: str | None
    seen: Sealed | None = None
    """`address` and `user_agent`, sealed under the key of the user's profile; they are None then."""


class Consents(Record):
    """All that a user accepted and withdrew, oldest first; only ever added to."""

    user_id: str
    history: tuple[Consent, ...]


class AuditEntry(Record):
    """One event in the chain of an organisation. `hash` is SHA-256 (hex) over the others as canonical JSON."""

    sequence: int
    event_id: str
    type: str
    time: datetime
    recorded_at: datetime
    user_id: str | None
    actor_id: str | None
    data: dict[str, JsonValue]
    previous: str
    hash: str


class AuditPage(Record):
    """A page of a chain; all but the newest are full."""

    entries: tuple[AuditEntry, ...]
