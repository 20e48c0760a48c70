"""Identifiers: UUIDv7 (RFC 9562 §5.7), sortable by the time they were made."""

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils


def new_id() -> str:
    """A new UUIDv7 in its 36-character form. Not a secret: use `secrets` for those."""
    return str(uuid_utils.uuid7())


def made_at(made: str) -> datetime:
    """When an id of `new_id` was made, by the clock of its maker. Raises ValueError for what is no UUID."""
    return datetime.fromtimestamp((UUID(made).int >> 80) / 1000, UTC)
