"""Bodies of `/api/auth`: signing in and staying so."""

from typing import Annotated, Literal

from pydantic import Field

from omnify_auth.addresses import EmailAddress
from omnify_auth.schemas.accounts import UserOut
from omnify_auth.schemas.types import Input, Output, Password, Token


class LoginIn(Input):
    email: EmailAddress
    password: Password


class RefreshIn(Input):
    refresh_token: Annotated[Token, Field(description="The newest one of the session; keep the one that comes back.")]


class TokensOut(Output):
    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds until the access token expires.")
    session_id: str
    mfa_enrolment_required: bool = Field(
        description="A second factor is wanted: until it is set up under `/api/mfa`, the token has no roles."
    )
    user: UserOut
