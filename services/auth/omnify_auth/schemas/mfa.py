"""Bodies of `/api/mfa`, and of what asks for a second factor."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from omnify_auth.records import MfaPolicy
from omnify_auth.schemas.types import Input, Output, Password, Token
from omnify_auth.service.second_factor import Proof

Code = Annotated[str, Field(pattern=r"^[0-9]{3} ?[0-9]{3}$", examples=["492039"], description="Of the authenticator.")]
RecoveryCode = Annotated[str, Field(min_length=1, max_length=32, description="Any of the ten; works once.")]
RecoveryCodes = Annotated[tuple[str, ...], Field(description="Shown this once; each works once.")]


class CodeIn(Input):
    code: Code


class ProofIn(Input):
    """Exactly one of `code` and `recovery_code`."""

    code: Code | None = None
    recovery_code: RecoveryCode | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("send either code or recovery_code")
        return self

    def proof(self) -> Proof:
        return Proof(code=self.code, recovery_code=self.recovery_code)


class SecondStepIn(ProofIn):
    mfa_token: Annotated[Token, Field(description="Of the answer `mfa-required`; lasts five minutes.")]


class DisableIn(ProofIn):
    method: Literal["totp"]


class StepUpIn(Input):
    """`code` or `recovery_code` as well, for a user with a second factor."""

    password: Password
    code: Code | None = None
    recovery_code: RecoveryCode | None = None

    def proof(self) -> Proof | None:
        """None when neither was sent."""
        shown = Proof(code=self.code, recovery_code=self.recovery_code)
        return None if shown == Proof() else shown


class MethodOut(Output):
    method: str
    created_at: datetime
    last_used: datetime | None


class StatusOut(Output):
    user_id: str
    mfa_enabled: bool
    status: Literal["disabled", "pending_setup", "enabled"]
    methods: tuple[MethodOut, ...]
    recovery_codes_left: int


class SetupOut(Output):
    status: Literal["pending_verification"]
    secret: str = Field(description="Base32, for typing.")
    uri: str = Field(description="`otpauth://`, for authenticator apps.")
    qr_code: str = Field(description="The same as a QR code: a data URI of an SVG image.")


class VerifiedCodeOut(Output):
    success: Literal[True]
    recovery_codes: RecoveryCodes | None


class RecoveryCodesOut(Output):
    recovery_codes: RecoveryCodes


class SuccessOut(Output):
    success: Literal[True]


class StepUpOut(Output):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds until the access token expires.")


class PolicyIn(Input):
    mfa_policy: MfaPolicy


class PolicyOut(Output):
    mfa_policy: MfaPolicy


class MfaTokenIn(Input):
    mfa_token: Token


class MfaRecoveryIn(Input):
    token: Annotated[Token, Field(description="From the mail's link, behind `/recover-factors#token=`. For an hour.")]
