"""Why a mail did not leave.

SendError
├── TransientError   a later try may succeed: the mail waits
└── PermanentError   no try will: the mail has failed, with the reason
NothingToSend        the reason for the mail is gone; not a failure

The problems that callers get follow.
"""

from omnify_shared.problems import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    Unavailable,
    Unprocessable,
)


class SendError(Exception):
    """Its text is kept as the reason: a code or a class of failure, never an address or a token."""


class TransientError(SendError):
    """A later try may succeed.

    `certain`: the mail has surely not been taken, so that another provider may be tried at once without a copy.
    `provider`: it is the provider that fails, and not this mail alone.
    """

    def __init__(self, reason: str, *, certain: bool = True, provider: bool = True) -> None:
        super().__init__(reason)
        self.certain = certain
        self.provider = provider


class PermanentError(SendError):
    """No later try will succeed. `nobody`: because there is no such mailbox."""

    def __init__(self, reason: str, *, nobody: bool = False) -> None:
        super().__init__(reason)
        self.nobody = nobody


class NothingToSend(Exception):
    """What the mail was about is used up or gone."""


class UnknownMail(NotFound):
    type, title = "unknown-mail", "No such mail"


class MailNotFailed(Conflict):
    type, title = "mail-not-failed", "Only a failed mail can be tried again"


class KeysUnavailable(Unavailable):
    type, title = "keys-unavailable", "The keys of the email service are not usable"


class UnknownMessage(NotFound):
    type, title = "unknown-message", "No such message"


class UnknownRequest(NotFound):
    type, title = "unknown-message-request", "No such request"


class MessageUnderWay(Conflict):
    type, title = "message-under-way", "The message is still under way"


class UnknownTemplate(NotFound):
    type, title = "unknown-template", "No such template"


class UnusableValues(Unprocessable):
    type, title = "unusable-values", "The values do not fit the template"


class MessageTooLarge(PayloadTooLarge):
    type, title = "message-too-large", "The message is too large"


class UnknownSuppression(NotFound):
    type, title = "unknown-suppression", "No such suppression"


class UnknownLink(NotFound):
    type, title = "unknown-unsubscribe-link", "The link is not valid"


class UnknownDomain(NotFound):
    type, title = "unknown-sender-domain", "No such sender domain"


class DomainTaken(Conflict):
    type, title = "sender-domain-exists", "The organisation has that domain already"


class DomainNotVerified(Conflict):
    type, title = "sender-domain-not-verified", "The sender's domain is not verified"


class NotSigned(Forbidden):
    type, title = "signature-refused", "The signature is missing, wrong or out of date"


class NotEvents(BadRequest):
    type, title = "not-a-batch-of-events", "The body is no batch of events"
