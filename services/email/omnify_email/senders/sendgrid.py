"""Mails through SendGrid's v3 API with its SDK (https://www.twilio.com/docs/sendgrid/api-reference/mail-send)."""

import asyncio
from email.headerregistry import Address
from http.client import HTTPException
from typing import Any
from urllib.error import URLError

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from omnify_email.errors import PermanentError, TransientError
from omnify_email.senders import SENDGRID_API_KEY
from omnify_email.senders.mail import Before, Mail
from omnify_email.settings import EmailSettings
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.secrets import Secrets

_PERMANENT = frozenset({400, 404, 413})


class SendGridSender:
    """The SDK is synchronous, so each call runs in a thread; its timeout bounds the thread's life."""

    name = "sendgrid"
    tells = True

    def __init__(self, settings: EmailSettings, secrets: Secrets) -> None:
        self._secrets = secrets
        self._url = settings.sendgrid_url
        self._timeout = settings.send_timeout
        self._sender = {"email": settings.sender_address, "name": settings.sender_name}

    async def send(self, mail: Mail, before: Before) -> None:
        """See MailSender. A refused key (401, 403) is transient: the mail is good, the operator has to act."""
        payload = self._payload(mail)
        try:
            key = await self._secrets.get(SENDGRID_API_KEY)
        except SidecarError as error:
            raise TransientError(f"sendgrid: no key ({type(error).__name__})") from error
        await before()
        try:
            await asyncio.to_thread(self._post, key, payload)
        except HTTPError as error:
            kind = PermanentError if error.status_code in _PERMANENT else TransientError
            raise kind(f"sendgrid: refused with {error.status_code}") from error
        except URLError as error:  # before the request was sent whole
            raise TransientError(f"sendgrid: {type(error.reason).__name__}") from error
        except (OSError, HTTPException) as error:
            raise TransientError(f"sendgrid: {type(error).__name__}", certain=False) from error

    def _post(self, key: str, payload: dict[str, Any]) -> None:
        client = SendGridAPIClient(api_key=key, host=self._url)
        client.client.timeout = self._timeout
        client.send(payload)

    def _payload(self, mail: Mail) -> dict[str, Any]:
        try:
            Address(addr_spec=mail.recipient)
        except (ValueError, IndexError) as error:
            raise PermanentError("the address is not valid") from error
        recipient = {"email": mail.recipient} | ({"name": mail.recipient_name} if mail.recipient_name else {})
        return {
            "personalizations": [{"to": [recipient]}],
            "from": {"email": mail.sender[0], "name": mail.sender[1]} if mail.sender else self._sender,
            "subject": mail.subject,
            "content": [{"type": "text/plain", "value": mail.text}, {"type": "text/html", "value": mail.html}],
            "headers": {"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated", **mail.headers},
            "custom_args": {"omnify_mail": mail.reference},
            # Click tracking would send the link, token and all, through the provider's redirect.
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
            },
        }
