"""API keys: a document each, and a list per user of an organisation."""

from datetime import datetime, timedelta

from omnify_auth.records import Record

API_KEY_MOST = timedelta(days=366)
API_KEY_ENDED = timedelta(days=1)  # how long a key is remembered whose user is no member any more


class ApiKey(Record):
    """What lets a program act as its user, within `scopes`. `digest` is SHA-256 (hex) of its secret."""

    key_id: str
    user_id: str
    organization_id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    """Within an hour."""
    revoked_at: datetime | None


class ApiKeyList(Record):
    """The keys of one user in one organisation, oldest first."""

    key_ids: tuple[str, ...]
