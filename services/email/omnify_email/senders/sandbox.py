"""Takes every mail and delivers none, for trials on real data and for load tests."""

from omnify_email.errors import PermanentError, TransientError
from omnify_email.senders.mail import Before, Mail


class SandboxSender:
    """What happens is in the recipient's local part: `…+refused` is refused for good, `…+busy` for now."""

    name = "sandbox"
    tells = False

    async def send(self, mail: Mail, before: Before) -> None:
        """See MailSender."""
        await before()
        local_part = mail.recipient.rpartition("@")[0]
        if local_part.endswith("+refused"):
            raise PermanentError("sandbox: refused")
        if local_part.endswith("+busy"):
            raise TransientError("sandbox: busy")
