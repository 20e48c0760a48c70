"""Bodies of passkeys. `options` and `credential` are WebAuthn's own JSON (Level 3 §5.1.8 and §5.1.9)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from omnify_auth.schemas.mfa import RecoveryCodes
from omnify_auth.schemas.types import Input, Name, Output, Token

Credential = Annotated[dict[str, Any], Field(description="`PublicKeyCredential.toJSON()` of the browser's answer.")]


class PasskeyShownIn(Input):
    ceremony_id: UUID
    credential: Credential


class PasskeyLoginIn(PasskeyShownIn):
    mfa_token: Annotated[Token | None, Field(description="Of `mfa-required`, when it is the second step.")] = None


class NewPasskeyIn(PasskeyShownIn):
    name: Name


class CeremonyOut(Output):
    ceremony_id: str
    options: dict[str, Any]


class PasskeyOut(Output):
    passkey_id: str
    name: str
    created_at: datetime
    last_used: datetime | None
    backed_up: bool


class PasskeysOut(Output):
    passkeys: tuple[PasskeyOut, ...]


class NewPasskeyOut(PasskeyOut):
    recovery_codes: RecoveryCodes | None
