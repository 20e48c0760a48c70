"""What the analytics service does."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from omnify_analytics.cache import Question, Remembered, SalesCache
from omnify_analytics.erasure import Eraser
from omnify_analytics.errors import StillImporting, UnknownImport
from omnify_analytics.events import ErasureCompleted
from omnify_analytics.ledger import check_currency, check_open
from omnify_analytics.orders.head import check_head
from omnify_analytics.progress import ImportMetrics
from omnify_analytics.queries import CohortsQuery, OverviewQuery
from omnify_analytics.records import FactPiece, FileClaim, Import
from omnify_analytics.runner import ImportRunner
from omnify_analytics.schemas import ImportPage, ImportStatus, ImportSummary
from omnify_analytics.settings import AnalyticsSettings
from omnify_analytics.store import AnalyticsStore, FactsMissing, LedgerState
from omnify_analytics.uploads import Upload
from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_shared.erasure import Erasures
from omnify_shared.faults import point, reach
from omnify_shared.identity import Principal
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform
from omnify_shared.problems import Unavailable

if TYPE_CHECKING:
    from omnify_analytics.metrics import Sales

STORED = point("analytics.import.stored")
CREATED = point("analytics.import.created")
OPENED = point("analytics.import.opened")
CLAIMED = point("analytics.import.claimed")


class AnalyticsService:
    """Imports order files and answers what they say. The organisation always comes from the caller's token."""

    def __init__(
        self, store: AnalyticsStore, runner: ImportRunner, settings: AnalyticsSettings, platform: Platform
    ) -> None:
        self.settings = settings
        self.erasures = Erasures(platform, ErasureCompleted, Eraser(store).erase)
        self._store = store
        self._runner = runner
        self._cache = SalesCache(settings.cached_orders)

    async def start_import(self, caller: Principal, upload: Upload) -> str:
        """Keeps the file and begins to import it; the id of the import.

        The same bytes with the same options give the import there is. With other options they become a new import,
        which takes the place of the old one when it is done. Raises UnreadableFile, CurrencyDiffers, StillImporting,
        OrganizationGone.
        """
        organization_id = caller.organization_id
        await asyncio.to_thread(check_head, upload.head, upload.options)
        for _ in range(3):
            owner = await self._store.claims.get(organization_id, upload.sha256)
            present = await self._store.imports.get(organization_id, owner.import_id) if owner else None
            if present and present.status != "failed":
                if present.options == upload.options:
                    return present.import_id
                if not present.ended:
                    raise StillImporting("this file is being imported with other options; wait until that is done")
            ledger = (await self._store.ledger(organization_id)).ledger
            check_open(ledger)
            check_currency(ledger, upload.sha256, upload.options.currency)
            made = await self._keep(caller, upload)
            if await self._claim(made, instead_of=owner):
                reach(CLAIMED)
                self._runner.start(organization_id, made.import_id)
                return made.import_id
            await self._forget(made)
        raise StillImporting("the same file is being uploaded several times at once; try again")

    async def _keep(self, caller: Principal, upload: Upload) -> Import:
        """Stores the file and makes the import findable, in the order that leaves nothing acknowledged behind."""
        organization_id, import_id, chunks = caller.organization_id, new_id(), 0
        async for piece in upload.pieces():
            await self._store.put_chunk(import_id, chunks, piece)
            chunks += 1
        reach(STORED)
        made = Import(
            import_id=import_id,
            organization_id=organization_id,
            created_by=caller.user_id,
            created_at=clock.now(),
            filename=upload.filename,
            file=upload.sha256,
            chunks=chunks,
            options=upload.options,
        )
        await self._store.listed.add(organization_id, import_id)
        await self._store.of_users.note(caller.user_id, organization_id, import_id)
        await self._store.imports.create(organization_id, import_id, value=made)
        reach(CREATED)
        await self._store.add_open(organization_id, import_id)
        reach(OPENED)
        return made

    async def _claim(self, made: Import, *, instead_of: FileClaim | None) -> bool:
        """Whether the file belongs to `made` now; not when somebody else claimed it meanwhile."""
        free = FileClaim(import_id="")

        def change(now: FileClaim, _: Emit) -> FileClaim:
            return FileClaim(import_id=made.import_id) if now == (instead_of or free) else now

        key = (made.organization_id, made.file)
        stored = await self._store.claims.upsert(*key, initial=lambda: free, change=change)
        return stored.value.import_id == made.import_id

    async def _forget(self, made: Import) -> None:
        await self._store.imports.delete(made.organization_id, made.import_id)
        await self._store.remove_open(made.organization_id, made.import_id)
        await self._store.delete_chunks(made.import_id, made.chunks)

    async def import_status(self, organization_id: str, import_id: str) -> ImportStatus:
        """How far an import is. Raises UnknownImport, also for one of another organisation."""
        found = await self._store.imports.get(organization_id, import_id) if _is_id(import_id) else None
        if found is None:
            raise UnknownImport(f"there is no import {import_id[:64]!r}")
        return ImportStatus(
            **_summary(found),
            options=found.options,
            rejections=found.rejections,
            rejections_truncated=len(found.rejections) < found.rows_rejected,
        )

    async def export(self, user_id: str) -> dict[str, JsonValue]:
        """The imports that a user made, in whatever organisation, newest first; what is in them is not the user's."""
        return {"imports": [_exported(one) async for one in self._store.of_users.made_by(user_id)]}

    async def imports(self, organization_id: str, cursor: str | None, limit: int) -> ImportPage:
        """The imports of an organisation, newest first."""
        page = await self._store.listed.list(organization_id, cursor=cursor, limit=limit)
        found = await self._store.imports.get_many((organization_id, entry.id) for entry in page.items)
        known = [found[organization_id, entry.id] for entry in page.items if (organization_id, entry.id) in found]
        return ImportPage(imports=[ImportSummary(**_summary(one)) for one in known], next_cursor=page.next_cursor)

    async def overview(self, organization_id: str, query: OverviewQuery) -> bytes:
        """An `Overview` as JSON. Raises InvalidRange."""

        def compute(sales: "Sales") -> bytes:
            from omnify_analytics.metrics import overview

            return overview(sales, query.from_, query.to, query.granularity).model_dump_json().encode()

        question = ("overview", str(query.from_), str(query.to), query.granularity)
        return await self._answer(organization_id, question, compute)

    async def cohorts(self, organization_id: str, query: CohortsQuery) -> bytes:
        """`Cohorts` as JSON. Raises InvalidRange."""

        def compute(sales: "Sales") -> bytes:
            from omnify_analytics.metrics import cohorts

            return cohorts(sales, query.granularity).model_dump_json().encode()

        return await self._answer(organization_id, ("cohorts", query.granularity), compute)

    async def _answer(self, organization_id: str, question: Question, compute: Callable[["Sales"], bytes]) -> bytes:
        """The remembered answer when the ledger has not changed since; else a new one."""
        for _ in range(3):
            state = await self._store.ledger(organization_id)
            held = self._cache.at(organization_id, state.etag)
            body = held.known(question)
            if body is not None:
                return body
            try:
                sales = await self._sales(organization_id, state, held)
            except FactsMissing:
                continue
            body = await asyncio.to_thread(compute, sales)
            held.answer(question, body)
            return body
        raise Unavailable("the figures are changing; try again")

    async def _sales(self, organization_id: str, state: LedgerState, held: Remembered) -> "Sales":
        async with held.lock:
            if held.sales is None:
                import_ids = [known.import_id for known in state.ledger.imports]
                facts = await self._store.facts(organization_id, import_ids)
                held.sales = await asyncio.to_thread(_sales_of, facts, state)
                self._cache.trim()
            return held.sales


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[AnalyticsService]:
    """The service on a platform; it looks for imports that were left behind as soon as the sidecar is up."""
    settings: AnalyticsSettings = platform.settings
    store = AnalyticsStore(platform.state, platform.outbox, facts_per_write=settings.facts_per_write)
    runner = ImportRunner(store, platform.tasks, settings, ImportMetrics(platform.telemetry))
    platform.tasks.spawn(runner.recover(), name="import recovery")
    service = AnalyticsService(store, runner, settings, platform)
    platform.tasks.spawn(service.erasures.run(), name="erasures")
    gc.freeze()  # what is loaded stays; without it a full collection during an import holds every request for 0.1 s
    yield service


def _sales_of(facts: list[tuple[FactPiece, bytes]], state: LedgerState) -> "Sales":
    from omnify_analytics.facts import day_orders
    from omnify_analytics.metrics import sales

    return sales(day_orders(facts), state.ledger.currency, state.ledger.as_of)


def _summary(found: Import) -> dict[str, Any]:
    return found.model_dump(include=set(ImportSummary.model_fields))


def _exported(found: Import) -> dict[str, JsonValue]:
    return found.model_dump(mode="json", include={*ImportSummary.model_fields, "organization_id"})


def _is_id(text: str) -> bool:
    return len(text) == 36 and text.replace("-", "").isalnum() and text.isascii()
