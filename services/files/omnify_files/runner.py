"""Carries a complete file through its checks: one replica at a time per file, taken over when that replica dies.

Steps: fetch the bytes, scan them, look at them, store what was made of them, release. Each may be done again: nothing
counts before the document says so, and whatever a dead replica stored is in the document's litter beforehand.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, get_args

import structlog

from omnify_files.blobs import CHUNK, Blobs, DamagedContent, spans_of
from omnify_files.events import FileReady, FileRefused
from omnify_files.inspection import Findings, Made, Refusal
from omnify_files.inspector import Inspector
from omnify_files.kinds import KINDS
from omnify_files.metrics import FileMetrics
from omnify_files.records import Content, FileRecord, Lease, Part, Reason, Span, Variant
from omnify_files.scanner import Found, NotScannedWhole, Scanner, ScannerAway
from omnify_files.settings import FilesSettings
from omnify_files.store import FileStore, Key
from omnify_files.workspace import workspace
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing, SidecarError
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id

log = structlog.get_logger()

LEASED: Final = point("files.process.leased")
FETCHED: Final = point("files.process.fetched")
SCANNED: Final = point("files.process.scanned")
LOOKED: Final = point("files.process.looked")
PLANNED: Final = point("files.process.planned")
MADE: Final = point("files.process.made")
JUDGED: Final = point("files.process.judged")

MAX_TRIES: Final = 8  # of what fails for no known reason
_READ: Final = 256 * 1024


Change = Callable[[FileRecord, Emit], FileRecord]


class Taken(Exception):
    """Somebody else works on the file, or it is no longer to be worked on."""


class Postponed(Exception):
    """The file has to wait, for a reason that lies outside it."""


class GivenUp(Exception):
    """The file failed too often; it stays in quarantine until an operator replays its dead letter."""


class Runner:
    """Works on one file after another; what it raises says when to come again."""

    def __init__(
        self,
        store: FileStore,
        blobs: Blobs,
        scanner: Scanner,
        inspector: Inspector,
        settings: FilesSettings,
        metrics: FileMetrics,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._scanner = scanner
        self._inspector = inspector
        self._settings = settings
        self._metrics = metrics
        self._replica = new_id()

    async def judge(self, key: Key) -> FileRecord:
        """The file once it is ready or refused. Raises Taken, Postponed, GivenUp, Missing, SidecarError."""
        file = (await self._store.files.update(*key, change=self._lease)).value
        if not self._ours(file):
            raise Taken
        reach(LEASED)
        try:
            async with self._kept_alive(key):
                return await self._outcome(file)
        except (SidecarError, Missing, Taken):
            raise
        except ScannerAway as away:
            await self._wait(key, str(away), counts=False)
            raise Postponed(str(away)) from away
        except Exception as error:
            log.error("file not processed", file_id=key[1], tries=file.tries, exc_info=error)
            await self._wait(key, "it could not be processed; it is tried again", counts=True)
            raise (GivenUp if file.tries + 1 >= MAX_TRIES else Postponed)(type(error).__name__) from error

    def _lease(self, file: FileRecord, _: Emit) -> FileRecord:
        now = clock.now()
        held = file.lease and file.lease.owner != self._replica and file.lease.until > now
        if not file.in_work or held:
            return file
        lease = Lease(owner=self._replica, until=now + self._settings.lease)
        return file.model_copy(update={"state": "scanning", "step": "fetching", "lease": lease})

    def _ours(self, file: FileRecord) -> bool:
        return file.state == "scanning" and file.lease is not None and file.lease.owner == self._replica

    @asynccontextmanager
    async def _kept_alive(self, key: Key) -> AsyncIterator[None]:
        """Prolongs the lease meanwhile, and ends the work once the file is no longer ours, as when it is cancelled."""
        work = asyncio.current_task()
        lost = False

        async def beat() -> None:
            nonlocal lost
            while True:
                await asyncio.sleep(self._settings.lease.total_seconds() / 4)
                try:
                    file = (await self._store.files.update(*key, change=self._prolonged)).value
                except (SidecarError, Missing) as error:
                    log.info("lease not prolonged", file_id=key[1], reason=type(error).__name__)
                    continue
                if not self._ours(file) and work is not None:
                    lost = True
                    work.cancel()
                    return

        beating = asyncio.create_task(beat())
        try:
            yield
        except asyncio.CancelledError as error:
            if not lost or work is None:
                raise
            work.uncancel()
            raise Taken from error
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    def _prolonged(self, file: FileRecord, _: Emit) -> FileRecord:
        if not self._ours(file):
            return file
        return file.model_copy(update={"lease": Lease(owner=self._replica, until=clock.now() + self._settings.lease)})

    async def _outcome(self, file: FileRecord) -> FileRecord:
        with workspace() as folder:
            path, made = folder / "upload", folder / "made"
            made.mkdir()
            try:
                digest = await self._fetch(file, path)
                reach(FETCHED)
                await self._show(file, "scanning")
                await self._scanner.check(_read(path))
                reach(SCANNED)
                await self._show(file, "looking")
                findings = await self._inspector.look(file.kind, path, made)
            except Found as found:
                reason = "not-scanned-whole" if isinstance(found, NotScannedWhole) else "malware"
                return await self._refuse(file, Refusal(reason, f"the scanner found {found.signature}"))
            except DamagedContent as damaged:
                return await self._refuse(file, Refusal("damaged", str(damaged)))
            except Refusal as refusal:
                return await self._refuse(file, refusal)
            reach(LOOKED)
            return await self._release(file, findings, digest)

    async def _fetch(self, file: FileRecord, path: Path) -> str:
        """Puts the upload together on this machine's disk; its SHA-256. Raises DamagedContent."""
        digest = hashlib.sha256()
        with path.open("wb") as target:
            async for piece in self._blobs.read(file, file.parts):
                await asyncio.to_thread(target.write, piece)
                await asyncio.to_thread(digest.update, piece)
        return digest.hexdigest()

    async def _show(self, file: FileRecord, step: str) -> None:
        await self._change(file, lambda now, _: now.model_copy(update={"step": step}))

    async def _release(self, file: FileRecord, findings: Findings, digest: str) -> FileRecord:
        stored = await self._keep(file, findings)
        contents: dict[Variant, Content] = {}
        kind = KINDS[file.kind]
        if "content" not in stored:
            contents["content"] = Content(
                media_type=kind.media_type, extension=kind.extensions[0], size=file.length, sha256=digest,
                parts=file.parts,
            )  # fmt: skip
        contents |= stored
        content = contents["content"]
        event = FileReady(
            file_id=file.file_id, organization_id=file.organization_id, purpose=file.purpose, kind=file.kind,
            media_type=content.media_type, size=content.size, sha256=content.sha256,
        )  # fmt: skip

        def change(now: FileRecord, emit: Emit) -> FileRecord:
            emit(event)
            litter = [*now.litter, *spans_of(now.parts)]
            ended = {"state": "ready", "contents": contents, "facts": findings.facts, "parts": [], "litter": litter}
            return now.model_copy(update=ended | _ended())

        ready = await self._change(file, change)
        reach(JUDGED)
        self._metrics.judged("ready")
        return ready

    async def _keep(self, file: FileRecord, findings: Findings) -> dict[Variant, Content]:
        """Stores what was made of the file, at places that the document names first."""
        made = {name: findings.made[name] for name in get_args(Variant) if name in findings.made}
        if not made:
            return {}
        tags = {name: f"{name[0]}{new_id()[-12:]}" for name in made}
        plan = [Span(tag=tags[name], first=0, last=one.path.stat().st_size // CHUNK) for name, one in made.items()]
        await self._change(file, lambda now, _: now.model_copy(update={"litter": [*now.litter, *plan]}))
        reach(PLANNED)
        stored = {name: await self._store_made(file, tags[name], one) for name, one in made.items()}
        reach(MADE)
        return stored

    async def _store_made(self, file: FileRecord, tag: str, one: Made) -> Content:
        digest, parts, size = hashlib.sha256(), list[Part](), 0
        async for piece in _read(one.path, CHUNK):
            digest.update(piece)
            size += len(piece)
            parts.append(await self._blobs.put(file, tag, len(parts), piece))
        return Content(
            media_type=one.media_type, extension=one.extension, size=size, sha256=digest.hexdigest(), parts=parts
        )

    async def _refuse(self, file: FileRecord, refusal: Refusal) -> FileRecord:
        reason: Reason = next(known for known in get_args(Reason) if known == refusal.reason)

        def change(now: FileRecord, emit: Emit) -> FileRecord:
            whose = {"organization_id": now.organization_id, "user_id": now.created_by or ""}
            emit(FileRefused(file_id=now.file_id, purpose=now.purpose, reason=reason, **whose))
            return now.model_copy(update={"state": "refused", "reason": reason, "detail": refusal.detail} | _ended())

        refused = await self._change(file, change)
        reach(JUDGED)
        self._metrics.judged("refused")
        return refused

    async def _change(self, file: FileRecord, change: Change) -> FileRecord:
        """Writes while the file is ours. Raises Taken."""

        def ours(now: FileRecord, emit: Emit) -> FileRecord:
            if not self._ours(now):
                raise Taken
            return change(now, emit)

        return (await self._store.files.update(file.organization_id, file.file_id, change=ours)).value

    async def _wait(self, key: Key, detail: str, *, counts: bool) -> None:
        def change(now: FileRecord, _: Emit) -> FileRecord:
            if not self._ours(now):
                return now
            back = {"state": "quarantined", "step": None, "detail": detail, "lease": None}
            return now.model_copy(update=back | {"tries": now.tries + counts})

        await self._store.files.update(*key, change=change)


def _ended() -> dict[str, object]:
    return {"step": None, "lease": None, "ended_at": clock.now()}


async def _read(path: Path, piece: int = _READ) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := await asyncio.to_thread(file.read, piece):
            yield data
