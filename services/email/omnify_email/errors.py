"""Why a mail did not leave.

SendError
├── TransientError   a later try may succeed: the mail waits
└── PermanentError   no try will: the mail has failed, with the reason
NothingToSend        the reason for the mail is gone; not a failure
"""

from omnify_shared.problems import Conflict, NotFound


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
    """No later try will succeed."""


class NothingToSend(Exception):
    """What the mail was about is used up or gone."""


class UnknownMail(NotFound):
    type, title = "unknown-mail", "No such mail"


class MailNotFailed(Conflict):
    type, title = "mail-not-failed", "Only a failed mail can be tried again"
