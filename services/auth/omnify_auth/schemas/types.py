"""What bodies are made of. Inputs refuse unknown fields; outputs have no defaults."""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

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


_STRENGTH = (
    "At least 15 and at most 256 characters (after Unicode NFC); not a common one, a sequence or a repetition, and not "
    "built around the name, the address or the organisation. No composition rules."
)

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
"""One line of text, kept exactly as it was sent."""
Password = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_encodable)]
"""Any text; the service judges its strength where one is set."""
NewPassword = Annotated[Password, Field(description=_STRENGTH, examples=["a long enough phrase"])]
Locale = Annotated[
    str,
    Field(
        max_length=35,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$",
        description="Language of mails, a tag of RFC 5646; where they have no words in it, they come in English.",
        examples=["de-AT"],
    ),
]
Token = Annotated[str, Field(min_length=1, max_length=512)]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    model_config = ConfigDict(frozen=True)


class AcceptedOut(Output):
    status: Literal["accepted"]
    message: str
