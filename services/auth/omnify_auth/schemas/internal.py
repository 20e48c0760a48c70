"""Bodies for peer services."""

from datetime import datetime

from omnify_auth.schemas.types import Output


class MintedTokenOut(Output):
    email: str
    full_name: str
    locale: str | None
    token: str
    expires_at: datetime


class LetterOut(Output):
    """A mail to send. `token` and `expires_at` are null for a kind without a link."""

    kind: str
    email: str
    full_name: str
    locale: str | None
    token: str | None
    expires_at: datetime | None
    values: dict[str, str]


class ContactOut(Output):
    email: str
    full_name: str
    locale: str | None
