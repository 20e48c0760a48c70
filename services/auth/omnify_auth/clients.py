"""Apps that sign in with Omnify, or work in their own name: one document each, and a list per organisation."""

from datetime import datetime
from typing import Literal, get_args

from omnify_auth.records import Record
from omnify_shared.permissions import PERMISSIONS

GrantType = Literal["authorization_code", "refresh_token", "client_credentials"]
GRANT_TYPES: tuple[str, ...] = get_args(GrantType)
IDENTITY_SCOPES = ("openid", "profile", "email", "offline_access")
SCOPES = frozenset(IDENTITY_SCOPES) | PERMISSIONS


class ClientSecret(Record):
    """SHA-256 (hex) of a secret, and until when it counts; None is for as long as the client."""

    digest: str
    made_at: datetime
    expires_at: datetime | None


class OAuthClient(Record):
    """An app of an organisation. A public one (in a browser, on a phone) can keep no secret and has none."""

    client_id: str
    organization_id: str
    name: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    grant_types: tuple[GrantType, ...]
    scopes: tuple[str, ...]
    public: bool
    secrets: tuple[ClientSecret, ...]
    created_at: datetime
    created_by: str
    access_changed_at: datetime | None
    """Tokens of before are refused: the client may do less since."""
    deleted_at: datetime | None


class ClientList(Record):
    """The clients of one organisation, oldest first."""

    client_ids: tuple[str, ...]
