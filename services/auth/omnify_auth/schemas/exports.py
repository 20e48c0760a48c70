"""The document of `/api/auth/me/export`. Its fields are chosen one by one, so that no secret gets in with a record."""

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from omnify_auth.schemas.types import Output


class ExportedAccount(Output):
    user_id: str
    email: str
    full_name: str
    locale: str | None
    created_at: datetime
    verified_at: datetime | None
    password_changed_at: datetime | None
    address_changed_at: datetime | None


class ExportedMembership(Output):
    organization_id: str
    name: str | None
    roles: tuple[str, ...]


class ExportedSession(Output):
    session_id: str
    device_id: str
    user_agent: str | None
    network: str | None = Field(description="The /24 (IPv4) or /48 (IPv6) of the address; no more of it is kept.")
    signed_in_at: datetime
    expires_at: datetime


class ExportedDevice(Output):
    device_id: str
    last_used_at: datetime


class ExportedPasskey(Output):
    passkey_id: str
    name: str
    added_at: datetime
    last_used_at: datetime | None


class ExportedFactors(Output):
    authenticator_app_since: datetime | None
    recovery_codes_left: int
    recovery_codes_made_at: datetime | None
    passkeys: tuple[ExportedPasskey, ...]


class ExportedApiKey(Output):
    key_id: str
    organization_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class ExportedConsent(Output):
    consent_id: str
    action: Literal["accepted", "withdrawn"]
    document_type: str
    version: str
    sha256: str
    organization_id: str
    at: datetime
    address: str | None
    user_agent: str | None


class ExportedService(Output):
    service: str
    data: dict[str, JsonValue] | None = Field(
        description="What it holds of the user; null when it is missing. `cut` names lists that end at 10,000 entries."
    )
    missing: str | None = Field(description="Why it could not be had now; ask again later.")


class ExportOut(Output):
    format: Literal["omnify-account-1"] = Field(description="Changes when a field goes or means something else.")
    made_at: datetime
    account: ExportedAccount
    organizations: tuple[ExportedMembership, ...]
    sessions: tuple[ExportedSession, ...] = Field(description="Oldest first; some may have ended.")
    devices: tuple[ExportedDevice, ...]
    second_factors: ExportedFactors
    api_keys: tuple[ExportedApiKey, ...]
    consents: tuple[ExportedConsent, ...] = Field(description="Oldest first.")
    services: tuple[ExportedService, ...] = Field(description="What the other services hold, one part each.")
