"""All state of the files service: files, their lists per organisation and user, quotas, the agenda of what is to do.

Keys name the organisation first. The agenda comes first in time, too: whatever exists is on it, so that a crash leaves
nothing behind that nobody looks at.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from omnify_files.events import FileUploaded
from omnify_files.records import Due, FileRecord, Usage
from omnify_shared import clock
from omnify_shared.authorship import Authorship
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Documents, Emit
from omnify_shared.events import CloudEvent
from omnify_shared.events.deadletters import DeadLetters
from omnify_shared.events.inbox import Inbox
from omnify_shared.events.outbox import Outbox
from omnify_shared.indexes import Index
from omnify_shared.state import StateStore

SHARDS: Final = 16
KEEP_ENDED: Final = timedelta(days=30)  # what is known of a file that was refused, cancelled or deleted
Key = tuple[str, str]


class FileStore:
    """Every method raises SidecarUnavailable while the store is down."""

    def __init__(self, state: StateStore, outbox: Outbox) -> None:
        self.files = Documents(state, "file", FileRecord, outbox=outbox)
        self.listed = Index(state, "files")
        self.of_users = Authorship(state, "user-files", self.files, nobody=None)
        self._usage = Documents(state, "usage", Usage)
        self._agenda = Documents(state, "agenda", Due)
        self._inbox = Inbox(state)
        self._letters = DeadLetters(state, self._inbox)
        self._source = outbox.source

    async def usage(self, organization_id: str) -> Usage:
        """What an organisation's files take."""
        return await self._usage.get(organization_id) or Usage()

    async def reserve(self, organization_id: str, file_id: str, size: int, allow: Callable[[Usage], None]) -> None:
        """Takes room for a file; `allow` may raise to refuse, seeing what is taken already."""

        def take(usage: Usage, _: Emit) -> Usage:
            allow(usage)
            return usage.model_copy(update={"sizes": usage.sizes | {file_id: size}})

        await self._usage.upsert(organization_id, initial=Usage, change=take)

    async def resize(self, organization_id: str, file_id: str, size: int | None) -> None:
        """Says how much a file takes by now, or gives all of it back (None); what was given back stays so."""

        def change(usage: Usage, _: Emit) -> Usage:
            if usage.sizes.get(file_id) in (size, None):
                return usage
            rest = {name: taken for name, taken in usage.sizes.items() if name != file_id}
            return usage.model_copy(update={"sizes": rest if size is None else rest | {file_id: size}})

        await self._usage.upsert(organization_id, initial=Usage, change=change)

    async def close(self, organization_id: str) -> None:
        """Lets the organisation take no more room."""
        closed = Usage(closed=True)

        def change(usage: Usage, _: Emit) -> Usage:
            return usage if usage.closed else usage.model_copy(update={"closed": True})

        await self._usage.upsert(organization_id, initial=lambda: closed, change=change)

    async def look_at_now(self, key: Key) -> None:
        """Puts a file on the agenda for the next look."""
        await self.look_at(key, clock.now())

    async def look_at(self, key: Key, due: datetime) -> None:
        """Puts a file on the agenda, or moves it there."""
        name = "/".join(key)

        def put(shard: Due, _: Emit) -> Due:
            return shard if shard.due.get(name) == due else Due(due=shard.due | {name: due})

        await self._agenda.upsert(_shard(name), initial=Due, change=put)

    async def noted(self, key: Key) -> datetime | None:
        """For when a file is on the agenda."""
        name = "/".join(key)
        shard = await self._agenda.get(_shard(name))
        return shard.due.get(name) if shard else None

    async def done_with(self, key: Key, noted: datetime | None = None) -> None:
        """Takes a file off the agenda; where `noted` is given, unless somebody has put it there anew since."""
        name = "/".join(key)

        def drop(shard: Due, _: Emit) -> Due:
            if name not in shard.due or (noted and shard.due[name] != noted):
                return shard
            return Due(due={other: due for other, due in shard.due.items() if other != name})

        try:
            await self._agenda.update(_shard(name), change=drop)
        except Missing:
            return

    async def due(self, soon: timedelta) -> tuple[list[Key], int, int]:
        """The files whose time has come, longest first; how many are on the agenda in all, and how many for `soon`."""
        now = clock.now()
        shards = (await self._agenda.get_many((str(number),) for number in range(SHARDS))).values()
        all_of_them = sorted((due, name) for shard in shards for name, due in shard.due.items())
        keys = [name.partition("/") for due, name in all_of_them if due <= now]
        waiting = sum(due <= now + soon for due, _ in all_of_them)
        return [(organization, file) for organization, _, file in keys], len(all_of_them), waiting

    async def bury(self, file: FileRecord, event: FileUploaded, reason: str) -> None:
        """Makes a dead letter of a file that could not be judged; its replay has it judged again."""
        letter = CloudEvent.of(event, source=self._source, subject=file.file_id, sequence=1)
        await self._inbox.failed(letter.source, letter.id, f"the file could not be processed: {reason}")
        await self._letters.keep(letter.wire())


def _shard(name: str) -> str:
    return str(hashlib.sha256(name.encode()).digest()[0] % SHARDS)
