"""Mails over SMTP (RFC 5321)."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

import aiosmtplib
import dkim

from omnify_email.errors import PermanentError, TransientError
from omnify_email.senders.mail import Before, Mail, Signing
from omnify_email.settings import EmailSettings
from omnify_shared import clock

_NOBODY = frozenset({550, 551, 553})  # RFC 5321 §4.2.3: no such mailbox, not here, not a name that there could be


class _Client(aiosmtplib.SMTP):
    """Asks before DATA: until then a server can't have taken the mail, whatever breaks."""

    before: Before
    asked = False

    async def data(self, message: str | bytes, /, **options: Any) -> aiosmtplib.SMTPResponse:
        await self.before()
        self.asked = True
        return await super().data(message, **options)


class SmtpSender:
    """One connection per mail: simple, and no state to lose."""

    name = "smtp"
    tells = False

    def __init__(self, settings: EmailSettings) -> None:
        self._server = settings.smtp
        self._timeout = settings.send_timeout
        self._sender = _address(settings.sender_name, settings.sender_address)

    async def send(self, mail: Mail, before: Before) -> None:
        """See MailSender."""
        message = self._message(mail)
        sender = (mail.sender or (self._sender.addr_spec,))[0]
        client = self._client(before)
        try:
            async with client:
                if mail.signing:
                    await client.sendmail(sender, [mail.recipient], self._signed(message, mail.signing))
                else:
                    await client.send_message(message, sender=sender, recipients=[mail.recipient])
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0].code, of_recipient=True) from error
        except aiosmtplib.SMTPDataError as error:
            raise _refused(error.code) from error
        except aiosmtplib.SMTPResponseException as error:
            # The greeting, our login, our sender address: not this mail's fault, so that the operator can mend it.
            raise TransientError(f"smtp: the server refused us with {error.code}") from error
        except (aiosmtplib.SMTPConnectError, ConnectionRefusedError) as error:
            raise TransientError(f"smtp: {type(error).__name__}") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise TransientError(f"smtp: {type(error).__name__}", certain=not client.asked) from error

    def _client(self, before: Before) -> _Client:
        server = self._server
        user, password = server.login or (None, None)
        client = _Client(
            hostname=server.host,
            port=server.port,
            username=user,
            password=password,
            use_tls=server.implicit_tls,
            start_tls=server.starttls,
            timeout=self._timeout,
        )
        client.before = before
        return client

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        try:
            message["From"] = _address(mail.sender[1], mail.sender[0]) if mail.sender else self._sender
            message["To"] = _address(mail.recipient_name, mail.recipient)
            message["Subject"] = mail.subject
            message["Date"] = format_datetime(clock.now())
            message["Message-ID"] = mail.message_id
            message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
            for name, value in mail.headers.items():
                message[name] = value
        except (ValueError, IndexError) as error:
            raise PermanentError("the address or a header is not valid") from error
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message

    @staticmethod
    def _signed(message: EmailMessage, signing: Signing) -> bytes:
        raw = message.as_bytes(policy=SMTP)
        signature = dkim.sign(raw, signing.selector.encode(), signing.domain.encode(), signing.key)
        return bytes(signature) + raw


def _address(name: str, address: str) -> Address:
    return Address(display_name=name, addr_spec=address)


def _refused(code: int, *, of_recipient: bool = False) -> TransientError | PermanentError:
    reason = f"smtp: refused with {code}"
    nobody = of_recipient and code in _NOBODY
    return PermanentError(reason, nobody=nobody) if 500 <= code < 600 else TransientError(reason, provider=False)
