"""Bodies of `/api/auth`: replacing a password."""

from typing import Annotated, Literal

from pydantic import Field

from omnify_auth.addresses import EmailAddress
from omnify_auth.schemas.types import Input, NewPassword, Output, Password, Token

_LINK = "From the mail's link, behind `/reset-password#token=`. Works once, for 30 minutes."
EndOthers = Annotated[bool, Field(description="Whether the user's other sessions end everywhere within seconds.")]


class ChangePasswordIn(Input):
    current_password: Password
    new_password: NewPassword
    end_other_sessions: EndOthers = True


class PasswordResetIn(Input):
    email: EmailAddress


class ConfirmResetIn(Input):
    token: Annotated[Token, Field(description=_LINK)]
    new_password: NewPassword
    end_other_sessions: EndOthers = True


class PasswordChangedOut(Output):
    status: Literal["changed"]
    message: str
