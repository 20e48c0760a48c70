"""Bodies of `/api/auth`: accounts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from omnify_auth.addresses import EmailAddress
from omnify_auth.schemas.types import Input, Locale, Name, NewPassword, Output, Token

_MAILED = "From the mail's link, behind `/verify-email#token=`. Works once, for an hour."


class RegisterIn(Input):
    email: EmailAddress
    password: NewPassword
    full_name: Name
    organization_name: Name
    locale: Locale | None = Field(default=None, description="Without, what `Accept-Language` asks for first.")


class VerifyEmailIn(Input):
    token: Annotated[Token, Field(description=_MAILED)]


class ResendIn(Input):
    email: EmailAddress


class VerifiedOut(Output):
    status: Literal["verified"]
    message: str


class UserOut(Output):
    user_id: str
    email: str
    full_name: str
    organization_id: str = Field(description="The organisation at work; the user's own id for who belongs to none.")
    roles: tuple[str, ...]


class MeOut(UserOut):
    permissions: tuple[str, ...]
    session_id: str
    created_at: datetime
    locale: str | None


class ProfileIn(Input):
    locale: Locale | None


class ProfileOut(Output):
    locale: str | None
