"""The hash chain of the audit log: pure rules. Each entry's hash covers the entry and the hash before it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from omnify_auth.records import AuditEntry
from omnify_shared.events import CloudEvent

PAGE = 100  # entries
GENESIS = "0" * 64  # the hash before the first entry


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold, and why."""

    sequence: int
    reason: str


def scope_of(event: CloudEvent[Any]) -> str:
    """The chain of an event: its organisation's, else its user's."""
    data = event.data.model_dump()
    return data.get("organization_id") or f"user.{data.get('user_id') or 'unknown'}"


def linked(event: CloudEvent[Any], sequence: int, previous: str, now: datetime) -> AuditEntry:
    """The entry of an event, behind the entry with the hash `previous`."""
    data = event.data.model_dump(mode="json", exclude_none=True)
    entry = AuditEntry(
        sequence=sequence,
        event_id=event.id,
        type=event.type,
        time=event.time,
        recorded_at=now,
        user_id=data.get("user_id"),
        actor_id=data.get("actor_id"),
        data=data,
        previous=previous,
        hash="",
    )
    return entry.model_copy(update={"hash": digest(entry)})


def digest(entry: AuditEntry) -> str:
    """SHA-256 (hex) over the entry without its hash, as JSON with sorted keys and no spaces."""
    body = entry.model_dump(mode="json", exclude={"hash"})
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def first_break(entries: Iterable[AuditEntry], sequence: int, previous: str) -> Break | None:
    """The first entry that does not follow from the one before; the first of `entries` should be number `sequence`."""
    for entry in entries:
        if entry.sequence != sequence:
            return Break(sequence, "an entry is missing or out of its order")
        if entry.previous != previous:
            return Break(sequence, "the entry before is not the one that this entry was linked to")
        if digest(entry) != entry.hash:
            return Break(sequence, "the entry was changed")
        sequence, previous = sequence + 1, entry.hash
    return None
