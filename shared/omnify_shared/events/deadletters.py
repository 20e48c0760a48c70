"""Dead letters of an app: kept with their reason, listed, and replayed through the same handler."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

import structlog
from pydantic import BaseModel, JsonValue
from pydantic_core import to_json

from omnify_shared import clock
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.documents import Documents
from omnify_shared.events.inbox import Inbox
from omnify_shared.events.subscriptions import NO_EVENT, identity_of
from omnify_shared.indexes import MAX_PAGE, Index
from omnify_shared.problems import Conflict, NotFound
from omnify_shared.state import StateStore

log = structlog.get_logger()

SCOPE = "all"
RECOUNT = 30.0  # seconds
MOST = 10_000  # letters looked at to count those that wait


class DeadLetter(BaseModel):
    """An event that its app could not handle."""

    id: str
    event: dict[str, JsonValue]
    reason: str
    attempts: int
    received_at: datetime
    status: Literal["waiting", "replayed"]


class DeadLetterPage(BaseModel):
    """Dead letters, newest first."""

    items: list[DeadLetter]
    next_cursor: str | None


class ReplayFailed(Conflict):
    type, title = "replay-failed", "The event still can't be handled"


class DeadLetters:
    """The dead letters of one app."""

    def __init__(self, state: StateStore, inbox: Inbox) -> None:
        self._letters = Documents(state, "deadletter", DeadLetter)
        self._index = Index(state, "deadletter")
        self._inbox = inbox
        self._changed = asyncio.Event()
        self.waiting: int | None = None

    async def count(self) -> None:
        """For the life of the process: keeps `waiting` true to what is stored, whichever replica changed it."""
        while True:
            self._changed.clear()
            try:
                self.waiting = await self._count()
            except SidecarError as error:
                log.info("dead letters not counted", reason=error.type)
            with suppress(TimeoutError):
                async with asyncio.timeout(RECOUNT):
                    await self._changed.wait()

    async def _count(self) -> int:
        found, cursor = 0, None
        for _ in range(MOST // MAX_PAGE):
            page = await self.list(cursor=cursor, limit=MAX_PAGE)
            found, cursor = found + len(page.items), page.next_cursor
            if cursor is None:
                break
        return found

    async def keep(self, body: Any) -> None:
        """Stores what the dead-letter topic delivered; a second delivery of the same event changes nothing."""
        identity = identity_of(body)
        letter = await self._letter_of_event(*identity[:2], body) if identity else _letter_of_no_event(body)
        await self._letters.upsert(letter.id, initial=lambda: letter, change=lambda old, _: _again(old, letter))
        await self._index.add(SCOPE, letter.id)
        self._changed.set()

    async def _letter_of_event(self, source: str, event_id: str, event: dict[str, JsonValue]) -> DeadLetter:
        record = await self._inbox.recall(source, event_id)
        return DeadLetter(
            id=f"{source}:{event_id}",
            event=event,
            reason=(record.reason if record else None) or "the sidecar gave up: no answer from the app, or expired",
            attempts=record.attempts if record else 0,
            received_at=clock.now(),
            status="waiting",
        )

    async def list(self, *, cursor: str | None = None, limit: int = 50) -> DeadLetterPage:
        """The letters that wait for a replay, newest first."""
        page = await self._index.list(SCOPE, cursor=cursor, limit=limit)
        found = await self._letters.get_many((entry.id,) for entry in page.items)
        waiting = [letter for letter in found.values() if letter.status == "waiting"]
        return DeadLetterPage(
            items=sorted(waiting, key=lambda one: one.received_at, reverse=True), next_cursor=page.next_cursor
        )

    async def replay(self, letter_id: str, dispatch: Any) -> DeadLetter:
        """Hands the event to its handler again. Raises: NotFound; ReplayFailed with the new reason."""
        letter = await self._letters.get(letter_id)
        if letter is None:
            raise NotFound(f"no dead letter {letter_id!r}")
        answer, reason = await dispatch(letter.event)
        if answer != "SUCCESS":
            raise ReplayFailed(str(reason), letter_id=letter_id)
        stored = await self._letters.update(
            letter_id, change=lambda known, _: known.model_copy(update={"status": "replayed"})
        )
        self._changed.set()
        return stored.value


def _letter_of_no_event(body: Any) -> DeadLetter:
    """What has no id of its own goes by a digest, so that a second delivery is the same letter."""
    return DeadLetter(
        id=f"unknown:{hashlib.sha256(to_json(body)).hexdigest()[:32]}",
        event=body if isinstance(body, dict) else {"data": body},
        reason=NO_EVENT,
        attempts=1,
        received_at=clock.now(),
        status="waiting",
    )


def _again(old: DeadLetter, new: DeadLetter) -> DeadLetter:
    return old if old.status == "waiting" and old.reason == new.reason else new
