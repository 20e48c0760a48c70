"""Carries imports out: one replica at a time per import, taken over when that replica dies.

Steps: read the kept file, write where its facts will lie, write them, commit in the ledger, tell, clean up. Facts
count only once the ledger names their import, and every step may be done again, so a crash after any of them is
harmless; whoever gives an import up finds by its manifest what was written of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from omnify_analytics.events import ImportCompleted, ImportFailed
from omnify_analytics.ledger import check_open, with_import
from omnify_analytics.orders.options import ImportOptions
from omnify_analytics.progress import ImportMetrics
from omnify_analytics.records import FactPiece, Import, Ledger, Manifest
from omnify_analytics.schemas import RejectedLine
from omnify_analytics.settings import AnalyticsSettings
from omnify_analytics.store import AnalyticsStore, unpacked
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing, SidecarError
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id
from omnify_shared.problems import Problem
from omnify_shared.tasks import Tasks

if TYPE_CHECKING:
    from omnify_analytics.orders.parse import ParsedOrders

log = structlog.get_logger()

LEASED = point("analytics.import.leased")
PARSED_FILE = point("analytics.import.parsed")
MANIFEST = point("analytics.import.manifest")
FACTS = point("analytics.import.facts")
COMMITTED = point("analytics.import.committed")
COMPLETED = point("analytics.import.completed")
CLEANED = point("analytics.import.cleaned")

MAX_ATTEMPTS: Final = 10
UNCLAIMED: Final = timedelta(seconds=10)  # what an upload may need from its document to its answer
BEAT: Final = timedelta(seconds=0.5)
PARSED: Final = 0.4  # progress when the file is read; writing the facts is the rest


@dataclass
class _Progress:
    rows: int = 0
    share: float = 0.0


class ImportRunner:
    """The imports that this replica works on."""

    def __init__(
        self, store: AnalyticsStore, tasks: Tasks, settings: AnalyticsSettings, metrics: ImportMetrics
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._settings = settings
        self._metrics = metrics
        self._replica = new_id()
        self._gate = asyncio.Semaphore(settings.imports_at_once)
        self._active = set[str]()

    def start(self, organization_id: str, import_id: str) -> None:
        """Works on an import in the background, unless that is being done."""
        if import_id not in self._active:
            self._active.add(import_id)
            self._tasks.spawn(self._run(organization_id, import_id), name=f"import {import_id}")

    async def recover(self) -> None:
        """For the life of the process: takes over imports that nobody works on any more."""
        while True:
            try:
                for organization_id, import_id in await self._store.open_imports():
                    if await self._abandoned(organization_id, import_id):
                        self.start(organization_id, import_id)
            except SidecarError as error:
                log.info("imports not looked through", reason=error.type)
            await asyncio.sleep(self._settings.recover_every.total_seconds())

    async def _abandoned(self, organization_id: str, import_id: str) -> bool:
        if import_id in self._active:
            return False
        found = await self._store.imports.get(organization_id, import_id)
        if found is None:
            await self._store.remove_open(organization_id, import_id)
            return False
        if found.lease is None:
            return found.ended or clock.now() - found.created_at > UNCLAIMED
        return found.lease.until < clock.now()

    async def _run(self, organization_id: str, import_id: str) -> None:
        try:
            async with self._gate:
                await self._work(organization_id, import_id)
        except (SidecarError, Missing) as error:
            log.warning("import postponed", import_id=import_id, reason=str(error))
        except Exception as error:
            log.error("import interrupted", import_id=import_id, exc_info=error)
        finally:
            self._active.discard(import_id)

    async def _work(self, organization_id: str, import_id: str) -> None:
        taken = (await self._store.imports.update(organization_id, import_id, change=self._lease)).value
        if not taken.ended:
            if taken.lease is None or taken.lease.owner != self._replica:
                return
            reach(LEASED)
            taken = await self._counted(taken)
        await self._clean_up(taken)

    async def _counted(self, taken: Import) -> Import:
        self._metrics.began(taken.import_id)
        status = "interrupted"
        try:
            async with self._kept_alive(taken) as progress:
                taken = await self._outcome(taken, progress)
                reach(COMPLETED)
            status = taken.status
        finally:
            self._metrics.ended(taken.import_id, status)
        return taken

    def _lease(self, found: Import, _: Emit) -> Import:
        now = clock.now()
        if found.ended or (found.lease and found.lease.owner != self._replica and found.lease.until > now):
            return found
        return found.leased(self._replica, now, self._settings.lease)

    @asynccontextmanager
    async def _kept_alive(self, taken: Import) -> AsyncIterator[_Progress]:
        progress = _Progress()
        beat = asyncio.create_task(self._beat(taken, progress))
        try:
            yield progress
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    async def _beat(self, taken: Import, progress: _Progress) -> None:
        """Prolongs the lease and shows the progress. Losing the lease is harmless: both replicas write the same."""

        def show(found: Import, _: Emit) -> Import:
            if found.ended or found.lease is None or found.lease.owner != self._replica:
                return found
            lease = found.lease.model_copy(update={"until": clock.now() + self._settings.lease})
            share = max(found.progress, round(progress.share, 3))
            return found.model_copy(update={"lease": lease, "progress": share, "rows_read": progress.rows})

        while True:
            await asyncio.sleep(min(BEAT, self._settings.lease / 4).total_seconds())
            try:
                await self._store.imports.update(taken.organization_id, taken.import_id, change=show)
            except SidecarError as error:
                log.info("progress not shown", import_id=taken.import_id, reason=error.type)

    async def _outcome(self, taken: Import, progress: _Progress) -> Import:
        """Imports, or finds out that it can't be done. Raises what may be tried again."""
        try:
            return await self._import(taken, progress)
        except SidecarError:
            raise
        except Problem as refusal:
            return await self._fail(taken, refusal.detail, None)
        except Exception as error:
            if taken.attempts < MAX_ATTEMPTS:
                raise
            log.error("import given up", import_id=taken.import_id, exc_info=error)
            return await self._fail(taken, "the file could not be processed", None)

    async def _import(self, taken: Import, progress: _Progress) -> Import:
        counted = self._metrics.counting()

        def read(rows: int, share: float) -> None:
            progress.rows, progress.share = rows, PARSED * share
            counted(rows)

        check_open((await self._store.ledger(taken.organization_id)).ledger)
        chunks = await self._store.chunks(taken.import_id, taken.chunks)
        latest = taken.created_at.date() + timedelta(days=1)
        parsed = await asyncio.to_thread(_parse, chunks, taken.options, latest, read)
        progress.rows, progress.share = parsed.read, PARSED
        counted(parsed.read)
        reach(PARSED_FILE)
        if not parsed.accepted:
            return await self._fail(taken, "no row of the file could be taken", parsed)
        facts = await asyncio.to_thread(_facts, parsed, taken.options)
        manifest = Manifest(pieces=[piece for piece, _ in facts])
        await self._store.put_manifest(taken.organization_id, taken.import_id, manifest)
        reach(MANIFEST)
        async for done in self._store.put_facts(taken.organization_id, taken.import_id, facts):
            progress.share = PARSED + (1 - PARSED) * 0.99 * done / len(facts)
            reach(FACTS)
        try:
            replaced = await self._commit(taken)
        except Problem as refusal:
            if isinstance(refusal, SidecarError):
                raise
            # Another replica may have given it up meanwhile, and the manifest with it.
            await self._store.delete_facts(taken.organization_id, taken.import_id, manifest)
            return await self._fail(taken, refusal.detail, parsed)
        reach(COMMITTED)
        return await self._complete(taken, parsed, replaced)

    async def _commit(self, taken: Import) -> list[str]:
        """Counts the import; gives the imports of the same bytes that no longer count. Raises CurrencyDiffers."""
        before: list[Ledger] = []

        def change(ledger: Ledger) -> Ledger:
            before.append(ledger)
            return with_import(ledger, taken, clock.now())

        after = await self._store.commit(taken.organization_id, change)
        kept = {known.import_id for known in after.imports}
        return [known.import_id for known in before[-1].imports if known.import_id not in kept]

    async def _complete(self, taken: Import, parsed: "ParsedOrders", replaced: list[str]) -> Import:
        days = parsed.orders["day"]
        event = ImportCompleted(
            import_id=taken.import_id,
            organization_id=taken.organization_id,
            rows_accepted=parsed.accepted,
            rows_rejected=parsed.rejected,
            orders=len(days),
            first_day=days.min(),
            last_day=days.max(),
            currency=taken.options.currency,
        )

        def change(found: Import, emit: Emit) -> Import:
            if found.ended:
                return found
            emit(event)
            return found.model_copy(update=_result(parsed) | {"status": "completed", "replaces": replaced})

        return (await self._store.imports.update(taken.organization_id, taken.import_id, change=change)).value

    async def _fail(self, taken: Import, reason: str, parsed: "ParsedOrders | None") -> Import:
        def change(found: Import, emit: Emit) -> Import:
            if found.ended:
                return found
            whose = {"organization_id": found.organization_id, "user_id": found.created_by}
            emit(ImportFailed(import_id=found.import_id, reason=reason, **whose))
            counts = _result(parsed) if parsed else {"completed_at": clock.now(), "lease": None}
            return found.model_copy(update=counts | {"status": "failed", "failure": reason, "rows_accepted": 0})

        return (await self._store.imports.update(taken.organization_id, taken.import_id, change=change)).value

    async def _clean_up(self, ended: Import) -> None:
        for import_id in ended.replaces:
            await self._store.delete_facts(ended.organization_id, import_id)
        await self._store.delete_chunks(ended.import_id, ended.chunks)
        reach(CLEANED)
        if (await self._store.ledger(ended.organization_id)).ledger.closed:
            await self._store.delete_import(ended)
        await self._store.remove_open(ended.organization_id, ended.import_id)
        log.info("import ended", import_id=ended.import_id, status=ended.status, rows=ended.rows_read)


def _result(parsed: "ParsedOrders") -> dict[str, object]:
    return {
        "progress": 1.0,
        "rows_read": parsed.read,
        "rows_accepted": parsed.accepted,
        "rows_rejected": parsed.rejected,
        "rejections": [RejectedLine(line=line, reason=reason) for line, reason in parsed.rejections],
        "completed_at": clock.now(),
        "lease": None,
    }


def _parse(
    chunks: Sequence[bytes], options: ImportOptions, latest: date, progress: Callable[[int, float], None]
) -> "ParsedOrders":
    from omnify_analytics.orders.parse import parse_orders

    taken = 0

    def blocks() -> Iterator[bytes]:
        nonlocal taken
        for chunk in chunks:
            taken += 1
            yield unpacked(chunk)

    return parse_orders(blocks(), options, latest=latest, progress=lambda rows: progress(rows, taken / len(chunks)))


def _facts(parsed: "ParsedOrders", options: ImportOptions) -> list[tuple[FactPiece, bytes]]:
    from omnify_analytics.facts import facts_of

    columns = options.columns
    return list(facts_of(parsed, order_ids=columns.order_id is not None, quantities=columns.quantity is not None))
