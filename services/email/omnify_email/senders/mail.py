"""What a provider is handed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one person. `message_id` is the same for every try.

    `reference` is our id of the mail, which a provider gives back in its events; `headers` are further ones of ours.
    """

    message_id: str
    recipient: str
    recipient_name: str
    subject: str
    text: str
    html: str
    reference: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
