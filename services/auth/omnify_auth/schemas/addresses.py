"""Bodies of `/api/auth`: another address for an account."""

from typing import Annotated, Literal

from pydantic import Field

from omnify_auth.addresses import EmailAddress
from omnify_auth.schemas.types import Input, Output, Token


class ChangeEmailIn(Input):
    new_email: EmailAddress


class ConfirmEmailIn(Input):
    token: Annotated[
        Token, Field(description="From the mail's link, behind `/confirm-email#token=`. Works once, for an hour.")
    ]


class EmailChangedOut(Output):
    status: Literal["changed"]
    message: str
