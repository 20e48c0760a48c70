"""Identifiers: UUIDv7 (RFC 9562 §5.7), sortable by the time they were made."""

import uuid_utils


def new_id() -> str:
    """A new UUIDv7 in its 36-character form. Not a secret: use `secrets` for those."""
    return str(uuid_utils.uuid7())
