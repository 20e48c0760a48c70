"""The events that a mail follows, with the fields it needs."""

from omnify_shared.erasure import ErasureReceipt
from omnify_shared.events import EventData


class ErasureCompleted(ErasureReceipt, type="omnify.email.erasure.completed.v1"):
    """Email has deleted its records of mails to a user or of an organisation. `subject` is the erasure's id."""


class UserRegistered(EventData, type="omnify.auth.user.registered.v1"):
    verification_id: str
    user_id: str
    organization_id: str


class VerificationRequested(EventData, type="omnify.auth.verification.requested.v1"):
    verification_id: str
    user_id: str
    organization_id: str


class RegistrationRepeated(EventData, type="omnify.auth.registration.repeated.v1"):
    user_id: str
    organization_id: str


class LetterRequested(EventData, type="omnify.auth.letter.requested.v1"):
    letter_id: str
    kind: str
    user_id: str
    organization_id: str | None


EVENTS = (ErasureCompleted,)
READS = (UserRegistered, VerificationRequested, RegistrationRepeated, LetterRequested)
