"""The port through which mails leave, and the choice of its adapters."""

from typing import Protocol

from omnify_email.senders.failover import Failover
from omnify_email.senders.mail import Before, Mail
from omnify_email.settings import EmailSettings, Provider
from omnify_shared.secrets import Secrets

SENDGRID_API_KEY = "sendgrid-api-key"  # its name, not its value


class MailSender(Protocol):
    """Hands a mail to a provider."""

    name: str
    tells: bool  # whether events of the provider's say what became of a mail

    async def send(self, mail: Mail, before: Before) -> None:
        """Returns once the provider has taken the mail. Raises TransientError, PermanentError, what `before` raises."""


def senders_for(settings: EmailSettings, secrets: Secrets) -> Failover:
    """The adapters that the settings name, the first one preferred; only their libraries are loaded."""
    named = [settings.provider, *([settings.fallback] if settings.fallback else [])]
    return Failover([_sender(name, settings, secrets) for name in dict.fromkeys(named)])


def _sender(name: Provider, settings: EmailSettings, secrets: Secrets) -> MailSender:
    if name == "sendgrid":
        from omnify_email.senders.sendgrid import SendGridSender

        return SendGridSender(settings, secrets)
    if name == "sandbox":
        from omnify_email.senders.sandbox import SandboxSender

        return SandboxSender()
    from omnify_email.senders.smtp import SmtpSender

    return SmtpSender(settings)
