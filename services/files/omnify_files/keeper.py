"""Looks after every file that is not at rest: works through the agenda, and is told of new work by events.

What is on the agenda is looked at when its time has come, by whichever replica comes first; a file leaves it only when
nothing is left to do for it, so a crash at any moment is made good by the next look.
"""

import asyncio
import random
from datetime import timedelta

import structlog

from omnify_files.blobs import Blobs, all_spans, kept_parts
from omnify_files.events import uploaded
from omnify_files.metrics import FileMetrics
from omnify_files.records import FileRecord
from omnify_files.runner import GivenUp, Postponed, Runner, Taken
from omnify_files.settings import FilesSettings
from omnify_files.store import KEEP_ENDED, FileStore, Key
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing, SidecarError
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.tasks import Tasks

log = structlog.get_logger()

PURGED = point("files.purge.dropped")
FREED = point("files.purge.freed")
CLEANED = point("files.clean.dropped")
RESIZED = point("files.clean.resized")


class Keeper:
    """The files that this replica looks after."""

    def __init__(
        self,
        store: FileStore,
        blobs: Blobs,
        runner: Runner,
        settings: FilesSettings,
        tasks: Tasks,
        metrics: FileMetrics,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._runner = runner
        self._settings = settings
        self._tasks = tasks
        self._metrics = metrics
        self._gate = asyncio.Semaphore(settings.jobs_at_once)
        self._active = set[Key]()

    async def keep_looking(self) -> None:
        """Runs for the life of the process."""
        while True:
            await asyncio.sleep(self._settings.poll_interval.total_seconds() * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                due, self._metrics.agenda, self._metrics.soon = await self._store.due(self._settings.retry_longest)
                for key in due:
                    await self.look(key)
            except Exception as error:
                log.warning("files not looked through", reason=type(error).__name__)

    async def take_on(self, key: Key) -> None:
        """Has a complete file judged: it is on the agenda before this returns, and can't be forgotten."""
        await self._store.look_at(key, clock.now() + self._settings.lease)
        self._start(key)

    async def look(self, key: Key) -> None:
        """Does, or starts, what has to be done for a file now."""
        if key in self._active:
            return
        file = await self._store.files.get(*key)
        if file is None:
            await self._forget(key)
        elif file.in_work:
            self._start(key)
        elif file.state == "uploading":
            await self._expire(file)
        else:
            await self.settle(file)

    def _start(self, key: Key) -> None:
        if key not in self._active:
            self._active.add(key)
            self._tasks.spawn(self._work(key), name=f"file {key[1]}")

    async def _work(self, key: Key) -> None:
        try:
            async with self._gate:
                await self._judge(key)
        except (SidecarError, Missing) as error:
            log.warning("file postponed", file_id=key[1], reason=type(error).__name__)
        finally:
            self._active.discard(key)

    async def _judge(self, key: Key) -> None:
        try:
            judged = await self._runner.judge(key)
            log.info("file judged", file_id=key[1], state=judged.state, reason=judged.reason)
            await self.settle(judged)
        except Taken:
            found = await self._store.files.get(*key)
            if found and found.in_work:
                lease = found.lease.until if found.lease else clock.now()
                await self._store.look_at(key, lease + timedelta(seconds=1))
        except Postponed:
            self._metrics.judged("postponed")
            await self._store.look_at(key, clock.now() + await self._wait_of(key))
        except GivenUp as given_up:
            self._metrics.judged("given_up")
            await self._give_up(key, str(given_up))

    async def _wait_of(self, key: Key) -> timedelta:
        """Longer with every failure; for a scanner that is away always the first wait, as it costs next to nothing."""
        file = await self._store.files.get(*key)
        tries = file.tries if file else 0
        wait: timedelta = self._settings.retry_first * 3 ** max(0, tries - 1)
        return min(wait, self._settings.retry_longest)

    async def _give_up(self, key: Key, reason: str) -> None:
        """Leaves the file in quarantine, off the agenda, with a dead letter that an operator may replay."""
        file = await self._store.files.get(*key)
        if file is not None:
            await self._store.bury(file, uploaded(file), reason)
        await self._store.done_with(key)

    async def _expire(self, file: FileRecord) -> None:
        key = file.organization_id, file.file_id
        if file.expires_at > clock.now():
            await self._store.look_at(key, file.expires_at)
            return
        ended = await self._store.files.update(*key, change=_expired)
        await self.settle(ended.value)

    async def _forget(self, key: Key) -> None:
        """An upload that was never made, or a trace that has outlived its file."""
        await self._store.resize(*key, None)
        await self._store.done_with(key)

    async def settle(self, file: FileRecord) -> None:
        """Drops what a judged, cancelled or deleted file leaves behind. Doing it again changes nothing."""
        if file.state == "ready":
            await self._tidy(file)
        elif file.state in ("refused", "cancelled", "deleted"):
            await self._purge(file)

    async def _tidy(self, file: FileRecord) -> None:
        """Somebody may delete the file meanwhile, and then it has to stay on the agenda."""
        key = file.organization_id, file.file_id
        noted = await self._store.noted(key)
        await self._blobs.drop(file, all_spans(file), keep=kept_parts(file))
        reach(CLEANED)
        await self._store.resize(*key, file.size)
        reach(RESIZED)
        now = await self._store.files.get(*key)
        if noted and now and now.state == "ready":
            await self._store.done_with(key, noted)

    async def _purge(self, file: FileRecord) -> None:
        key = file.organization_id, file.file_id
        await self._blobs.drop(file, all_spans(file))
        reach(PURGED)
        await self._store.resize(*key, None)
        reach(FREED)
        await self._store.files.update(*key, change=_without_bytes, ttl=KEEP_ENDED)
        await self._store.done_with(key)


def _expired(file: FileRecord, _: Emit) -> FileRecord:
    if file.state != "uploading" or file.expires_at > clock.now():
        return file
    return file.model_copy(update={"state": "cancelled", "reason": "expired", "ended_at": clock.now()})


def _without_bytes(file: FileRecord, _: Emit) -> FileRecord:
    if file.purged or file.state == "ready":
        return file
    return file.model_copy(update={"parts": [], "contents": {}, "litter": [], "writing": None, "purged": True})
