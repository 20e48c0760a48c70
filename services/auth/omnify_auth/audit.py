"""The hash chain of the audit log: pure rules. Each entry's hash covers the entry and the hash before it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import JsonValue

from omnify_auth.events import SignInFailed
from omnify_auth.records import AuditEntry
from omnify_shared.events import CloudEvent

PAGE = 100  # entries
GENESIS = "0" * 64  # the hash before the first entry


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold, and why."""

    sequence: int
    reason: str


def scope_of(event: CloudEvent[Any]) -> str | None:
    """The chain of an event: its organisation's, else its user's. None for what concerns nobody that we know."""
    data = event.data.model_dump()
    if event.type == SignInFailed.event_type and not data["user_id"]:
        return None
    return data.get("organization_id") or f"user.{data.get('user_id') or 'unknown'}"


def linked(event: CloudEvent[Any], sequence: int, previous: str, now: datetime) -> AuditEntry:
    """The entry of an event, behind the entry with the hash `previous`."""
    data = event.data.model_dump(mode="json", exclude_none=True) | {"origin": _origin(event)}
    entry = AuditEntry(
        sequence=sequence,
        event_id=event.id,
        type=event.type,
        time=event.time,
        recorded_at=now,
        user_id=data.get("user_id"),
        actor_id=data.get("actor_id") or event.authid,
        data=data,
        previous=previous,
        hash="",
    )
    return entry.model_copy(update={"hash": digest(entry)})


def _origin(event: CloudEvent[Any]) -> dict[str, JsonValue]:
    """What was done something to, where the request came from, and by what its sender had signed in.

    It stands within the data: another member of an entry would not survive the release before (decision 17).
    """
    claims = json.loads(event.authclaims) if event.authclaims else {}
    return {"target": event.subject, "network": event.clientnetwork, "amr": claims.get("amr", [])}


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
