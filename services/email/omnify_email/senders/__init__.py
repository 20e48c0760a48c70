"""The port through which mails leave, and the choice of its adapter."""

from dataclasses import dataclass
from typing import Protocol

from omnify_email.settings import EmailSettings
from omnify_shared.secrets import Secrets

SENDGRID_API_KEY = "sendgrid-api-key"  # its name, not its value
SECRETS = (SENDGRID_API_KEY,)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. `message_id` is the same for every try."""

    message_id: str
    recipient: str
    recipient_name: str
    subject: str
    text: str
    html: str


class MailSender(Protocol):
    """Hands a mail to a provider."""

    name: str

    async def send(self, mail: Mail) -> None:
        """Returns once the provider has taken the mail. Raises TransientError, PermanentError."""


def sender_for(settings: EmailSettings, secrets: Secrets) -> MailSender:
    """The adapter that the settings name; only its library is loaded."""
    if settings.provider == "sendgrid":
        from omnify_email.senders.sendgrid import SendGridSender

        return SendGridSender(settings, secrets)
    from omnify_email.senders.smtp import SmtpSender

    return SmtpSender(settings)
