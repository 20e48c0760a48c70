"""Bodies of requests and answers. Inputs refuse unknown fields; outputs have no defaults."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from omnify_auth.addresses import EmailAddress

_REFUSED = {"Cc", "Cs", "Zl", "Zp"}
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _one_line(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank")
    if any(unicodedata.category(char) in _REFUSED or char in _BIDI_CONTROLS for char in value):
        raise PydanticCustomError("control", "must be one line without control characters")
    return value


def _encodable(value: str) -> str:
    if any(unicodedata.category(char) == "Cs" for char in value):
        raise PydanticCustomError("surrogate", "must be valid Unicode")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
"""One line of text, kept exactly as it was sent."""
Password = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_encodable)]
"""Any text; the service judges its strength where one is set."""
Token = Annotated[str, Field(min_length=1, max_length=512)]
_STRENGTH = (
    "At least 15 and at most 256 characters (after Unicode NFC); not a common one, a sequence or a repetition, and not "
    "built around the name, the address or the organisation. No composition rules."
)
_MAILED = "From the mail's link, behind `/verify-email#token=`. Works once, for an hour."


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    model_config = ConfigDict(frozen=True)


class RegisterIn(Input):
    email: EmailAddress
    password: Annotated[Password, Field(description=_STRENGTH, examples=["a long enough phrase"])]
    full_name: Name
    organization_name: Name


class VerifyEmailIn(Input):
    token: Annotated[Token, Field(description=_MAILED)]


class ResendIn(Input):
    email: EmailAddress


class LoginIn(Input):
    email: EmailAddress
    password: Password


class RefreshIn(Input):
    refresh_token: Annotated[Token, Field(description="The newest one of the session; keep the one that comes back.")]


class AcceptedOut(Output):
    status: Literal["accepted"]
    message: str


class VerifiedOut(Output):
    status: Literal["verified"]
    message: str


class UserOut(Output):
    user_id: str
    email: str
    full_name: str
    organization_id: str
    roles: tuple[str, ...]


class TokensOut(Output):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds until the access token expires.")
    session_id: str
    user: UserOut


class KeyOut(Output):
    """A public key on the curve P-256 (RFC 7517, RFC 7518 §6.2)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    use: Literal["sig"]
    alg: Literal["ES256"]
    kid: str


class KeysOut(Output):
    """The keys by `kid`: the signing one, the next one an hour before it signs, and past ones while tokens live."""

    keys: tuple[KeyOut, ...]


class MeOut(UserOut):
    permissions: tuple[str, ...]
    session_id: str
    created_at: datetime


class MintedTokenOut(Output):
    email: str
    full_name: str
    token: str
    expires_at: datetime


class ContactOut(Output):
    email: str
    full_name: str
