"""What a provider is handed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Before = Callable[[], Awaitable[None]]
"""Awaited right before the provider could take the mail; when it raises, nothing is handed over."""


@dataclass(frozen=True, slots=True)
class Signing:
    """With what a mail is signed (DKIM, RFC 6376): `key` is an RSA key in PEM."""

    domain: str
    selector: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. `message_id` is the same for every try.

    `reference` is our id of the mail, which a provider gives back in its events; `headers` are further ones of ours.
    `sender` is address and name where it is not from the platform; `signing` is for those who sign mails themselves.
    """

    message_id: str
    recipient: str
    recipient_name: str
    subject: str
    text: str
    html: str
    reference: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    sender: tuple[str, str] | None = None
    signing: Signing | None = None
