"""Bodies for peer services."""

from datetime import datetime

from omnify_auth.schemas.types import Output


class MintedTokenOut(Output):
    email: str
    full_name: str
    token: str
    expires_at: datetime


class ContactOut(Output):
    email: str
    full_name: str
