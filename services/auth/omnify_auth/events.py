"""Events auth publishes on `auth-events`. None carries an address, a name or a token: readers ask auth for those."""

from datetime import datetime

from omnify_shared.events import EventData


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


EVENTS = (UserRegistered, VerificationRequested, RegistrationRepeated, SessionRevoked)
