"""Events that auth publishes. None carries an address, a name or a token: readers ask auth for those."""

from datetime import datetime
from typing import Literal

from omnify_auth.erasure_events import ERASURE_EVENTS
from omnify_auth.erasure_receipts import RECEIPTS
from omnify_auth.organization_events import ORGANIZATION_EVENTS
from omnify_shared.events import EventData

ACTIVITY = "auth-activity"
"""The topic of what every sign-in brings: on `auth-events` each would reach every service, for nothing."""

LetterKind = Literal[
    "account_disabled",
    "account_erased",
    "email_change",
    "email_change_asked",
    "email_changed",
    "factors_changed",
    "invitation",
    "many_failures",
    "mfa_recovery",
    "new_device",
    "password_changed",
    "password_reset",
    "session_reused",
]
"""What auth writes to people about. The email service has a template for each: a test holds the two together."""


class UserRegistered(EventData, type="omnify.auth.user.registered.v1"):
    """A new account waits for the proof of its address. `subject` is the user's id."""

    user_id: str
    organization_id: str
    verification_id: str


class VerificationRequested(EventData, type="omnify.auth.verification.requested.v1"):
    """Another verification mail was asked for, or an unverified address registered again.

    `subject` is the user's id.
    """

    user_id: str
    organization_id: str
    verification_id: str


class RegistrationRepeated(EventData, type="omnify.auth.registration.repeated.v1"):
    """Somebody tried to register the address of a verified account; its owner is told. `subject` is the user's id."""

    user_id: str
    organization_id: str
    notice_id: str


class SessionRevoked(EventData, type="omnify.auth.session.revoked.v1"):
    """A session has ended; its access tokens are to be refused until `expires_at`, when the last one is dead.

    `subject` is the session's id, the claim `sid` of the tokens.
    """

    session_id: str
    expires_at: datetime
    user_id: str | None = None
    organization_id: str | None = None
    because: str | None = None
    """`logout` or `reuse` (of a refresh token); None where it was the oldest of too many."""


class SessionStarted(EventData, type="omnify.auth.session.started.v1", topic=ACTIVITY):
    """A user signed in, by `amr` (RFC 8176). `subject` is the session's id."""

    user_id: str
    organization_id: str
    session_id: str
    amr: tuple[str, ...]


class SignInFailed(EventData, type="omnify.auth.sign_in.failed.v1", topic=ACTIVITY):
    """A wrong password or code was counted, the `failures`th in a row; guesses during a wait are not looked at.

    Without a `user_id` nobody has the address. `subject` is a keyed digest of the address, or names the factor.
    """

    user_id: str | None
    organization_id: str | None
    factor: Literal["password", "totp", "recovery_code"]
    failures: int


class RefreshRefused(EventData, type="omnify.auth.refresh.refused.v1", topic=ACTIVITY):
    """A refresh token of a session that is over was shown, for the first time. `subject` is the session's id."""

    user_id: str
    organization_id: str
    session_id: str


class FactorAdded(EventData, type="omnify.auth.factor.added.v1"):
    """A user set up a second factor, or replaced the one of that method. `subject` is the user's id."""

    user_id: str
    organization_id: str
    method: str


class FactorRemoved(EventData, type="omnify.auth.factor.removed.v1"):
    """A user took a second factor away. `subject` is the user's id."""

    user_id: str
    organization_id: str
    method: str


class RecoveryCodesMade(EventData, type="omnify.auth.recovery_codes.made.v1"):
    """A user got a new set of recovery codes; older ones are void. `subject` is the user's id."""

    user_id: str
    organization_id: str


class RecoveryCodeUsed(EventData, type="omnify.auth.recovery_code.used.v1"):
    """A recovery code stood in for a second factor. `subject` is the user's id."""

    user_id: str
    organization_id: str
    left: int


class FactorRecoveryAsked(EventData, type="omnify.auth.factor_recovery.asked.v1"):
    """A user who lost their factors showed password and mailbox. `subject` is the user's id."""

    user_id: str
    organization_id: str


class FactorsReset(EventData, type="omnify.auth.factors.reset.v1"):
    """An administrator took a user's factors away, as the user asked. `subject` is the user's id."""

    user_id: str
    organization_id: str
    actor_id: str


class SessionSteppedUp(EventData, type="omnify.auth.session.stepped_up.v1"):
    """A signed-in user proved again who they are, by `amr` now. `subject` is the session's id."""

    user_id: str
    organization_id: str
    session_id: str
    amr: tuple[str, ...] = ()


class PasskeyRegressed(EventData, type="omnify.auth.passkey.regressed.v1"):
    """A passkey's counter went back, as a copy's would; the sign-in was refused. `subject` is the user's id."""

    user_id: str
    organization_id: str
    passkey_id: str


class MfaPolicyChanged(EventData, type="omnify.auth.mfa_policy.changed.v1"):
    """An organisation asks others, or fewer, for a second factor. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str
    mfa_policy: str


class SessionPolicyChanged(EventData, type="omnify.auth.session_policy.changed.v1"):
    """An organisation set how long its sessions last, idle and overall. `subject` is the organisation's id."""

    organization_id: str
    actor_id: str
    session_idle_seconds: int
    session_overall_seconds: int


class AccessChanged(EventData, type="omnify.auth.access.changed.v1"):
    """What a user may do has changed: their tokens issued before `before` are to be refused, but those of one session.

    Without an `organization_id` it holds for all of them. `subject` is the user's id.
    """

    user_id: str
    organization_id: str | None
    before: datetime
    kept_session_id: str | None


class LetterRequested(EventData, type="omnify.auth.letter.requested.v1"):
    """Somebody is to be written to; the email service asks for the letter by its id. `subject` is the user's id."""

    letter_id: str
    kind: LetterKind
    user_id: str
    organization_id: str | None


class PasswordChanged(EventData, type="omnify.auth.password.changed.v1"):
    """A user's password was replaced, `by` its owner or by a mailed link. `subject` is the user's id."""

    user_id: str
    organization_id: str
    by: Literal["change", "reset"]


class AddressVerified(EventData, type="omnify.auth.address.verified.v1"):
    """A user proved the address of their account. `subject` is the user's id."""

    user_id: str
    organization_id: str


class AddressChanged(EventData, type="omnify.auth.address.changed.v1"):
    """A user proved another address, which is the account's now. `subject` is the user's id."""

    user_id: str
    organization_id: str


class ConsentGiven(EventData, type="omnify.auth.consent.given.v1"):
    """A user accepted a version of a legal document. `subject` is the user's id."""

    user_id: str
    organization_id: str
    document_type: str
    version: str
    sha256: str


class ConsentWithdrawn(EventData, type="omnify.auth.consent.withdrawn.v1"):
    """A user withdrew their acceptance of a legal document. `subject` is the user's id."""

    user_id: str
    organization_id: str
    document_type: str
    version: str


class ClientCreated(EventData, type="omnify.auth.oauth_client.created.v1"):
    """An organisation registered an app. `subject` is the client's id."""

    client_id: str
    organization_id: str
    actor_id: str


class ClientChanged(EventData, type="omnify.auth.oauth_client.changed.v1"):
    """What an app may do, or where it lives, was changed. `subject` is the client's id."""

    client_id: str
    organization_id: str
    actor_id: str


class ClientSecretRotated(EventData, type="omnify.auth.oauth_client_secret.rotated.v1"):
    """An app got a new secret; the one before counts a day longer. `subject` is the client's id."""

    client_id: str
    organization_id: str
    actor_id: str


class ClientDeleted(EventData, type="omnify.auth.oauth_client.deleted.v1"):
    """An app was taken away; its tokens are refused. `subject` is the client's id."""

    client_id: str
    organization_id: str
    actor_id: str


class AppGrantGiven(EventData, type="omnify.auth.oauth_grant.given.v1"):
    """A user let an app act for them within these scopes. `subject` is the client's id."""

    user_id: str
    client_id: str
    organization_id: str
    scopes: tuple[str, ...]


class AppGrantWithdrawn(EventData, type="omnify.auth.oauth_grant.withdrawn.v1"):
    """A user lets an app act for them no more; its tokens are refused. `subject` is the client's id."""

    user_id: str
    client_id: str
    organization_id: str


class ApiKeyCreated(EventData, type="omnify.auth.api_key.created.v1"):
    """A user made an API key. `subject` is the key's id."""

    key_id: str
    user_id: str
    organization_id: str


class ApiKeyRevoked(EventData, type="omnify.auth.api_key.revoked.v1"):
    """A user revoked an API key. `subject` is the key's id."""

    key_id: str
    user_id: str
    organization_id: str


EVENTS = (
    UserRegistered,
    VerificationRequested,
    RegistrationRepeated,
    SessionRevoked,
    SessionStarted,
    SignInFailed,
    RefreshRefused,
    FactorAdded,
    FactorRemoved,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    FactorRecoveryAsked,
    FactorsReset,
    SessionSteppedUp,
    MfaPolicyChanged,
    SessionPolicyChanged,
    AccessChanged,
    LetterRequested,
    PasswordChanged,
    PasskeyRegressed,
    AddressVerified,
    AddressChanged,
    ConsentGiven,
    ConsentWithdrawn,
    ClientCreated,
    ClientChanged,
    ClientSecretRotated,
    ClientDeleted,
    AppGrantGiven,
    AppGrantWithdrawn,
    ApiKeyCreated,
    ApiKeyRevoked,
    *ORGANIZATION_EVENTS,
    *ERASURE_EVENTS,
)
READS = (*EVENTS, *RECEIPTS)  # its own, for the audit log
