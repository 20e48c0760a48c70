"""The events that a mail follows, with the fields it needs."""

from omnify_shared.events import EventData


class UserRegistered(EventData, type="omnify.auth.user.registered.v1"):
    verification_id: str


class VerificationRequested(EventData, type="omnify.auth.verification.requested.v1"):
    verification_id: str


class RegistrationRepeated(EventData, type="omnify.auth.registration.repeated.v1"):
    user_id: str


class LetterRequested(EventData, type="omnify.auth.letter.requested.v1"):
    letter_id: str
    kind: str


READS = (UserRegistered, VerificationRequested, RegistrationRepeated, LetterRequested)
