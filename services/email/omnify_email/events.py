"""The events that mails follow, with the fields they need, and those that the service publishes on `email-events`."""

from datetime import datetime
from typing import Literal

from omnify_email.catalogue import Category
from omnify_shared.erasure import ErasureReceipt
from omnify_shared.events import EventData


class ErasureCompleted(ErasureReceipt, type="omnify.email.erasure.completed.v1"):
    """Email has deleted what it held of a user or of an organisation. `subject` is the erasure's id."""


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


class EndpointDisabled(EventData, type="omnify.webhooks.endpoint.disabled.v1"):
    organization_id: str
    user_id: str
    reason: Literal["gone", "failing"]
    host: str = ""


class ImportFailed(EventData, type="omnify.analytics.import.failed.v1"):
    import_id: str
    organization_id: str
    user_id: str = ""


class FileRefused(EventData, type="omnify.files.file.refused.v1"):
    file_id: str
    organization_id: str
    user_id: str = ""
    reason: str


class MessageSent(EventData, type="omnify.email.message.sent.v1"):
    """A provider took a mail that an organisation had asked for. `subject` is the mail's id."""

    message_id: str
    request_id: str
    organization_id: str
    template: str
    category: Category


class MessageSuppressed(EventData, type="omnify.email.message.suppressed.v1"):
    """A mail was not sent: its recipient can't or does not want to get it. `subject` is the mail's id."""

    message_id: str
    request_id: str
    organization_id: str
    template: str
    category: Category
    reason: str


class MessageDelivered(EventData, type="omnify.email.message.delivered.v1"):
    """The recipient's server took a mail. `subject` is the mail's id."""

    message_id: str
    request_id: str
    organization_id: str
    template: str
    category: Category
    at: datetime


class MessageBounced(EventData, type="omnify.email.message.bounced.v1"):
    """A mail did not reach its recipient, or was taken for spam by them. `subject` is the mail's id."""

    message_id: str
    request_id: str
    organization_id: str
    template: str
    category: Category
    at: datetime
    outcome: Literal["blocked", "bounced", "complained", "dropped"]


READS = (
    UserRegistered,
    VerificationRequested,
    RegistrationRepeated,
    LetterRequested,
    EndpointDisabled,
    ImportFailed,
    FileRefused,
)
EVENTS = (ErasureCompleted, MessageSent, MessageSuppressed, MessageDelivered, MessageBounced)
