"""`/api/audit`: what happened in the caller's organisation, for its owners."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.records import AuditPage
from omnify_auth.schemas.audit import EntriesOut, EntryOut, PageIn, VerdictOut
from omnify_shared.identity import Principal, allowed

router = APIRouter(prefix="/api/audit", tags=["audit"])

Owner = Annotated[Principal, Depends(allowed("org:admin"))]


@router.get("")
async def entries(
    principal: Owner, service: ServiceDep, response: Response, query: Annotated[PageIn, Query()]
) -> EntriesOut:
    """The entries of the organisation's audit log, newest first."""
    response.headers.update(NO_STORE)
    before = int(query.cursor) if query.cursor is not None else None
    found = () if before == 0 else await service.audit.list(principal.organization_id, before, query.limit)
    more = str(found[-1].sequence) if found and found[-1].sequence else None
    return EntriesOut(entries=tuple(EntryOut(**entry.model_dump()) for entry in found), next_cursor=more)


@router.get("/export", response_class=StreamingResponse)
async def export(principal: Owner, service: ServiceDep) -> StreamingResponse:
    """The whole chain from its first entry on, a JSON object a line (NDJSON), as it is hashed."""
    lines = _lines(service.audit.pages(principal.organization_id))
    return StreamingResponse(lines, media_type="application/x-ndjson", headers=NO_STORE)


@router.get("/verify")
async def verify(principal: Owner, service: ServiceDep, response: Response) -> VerdictOut:
    """Recomputes the organisation's chain, and says where it breaks."""
    response.headers.update(NO_STORE)
    verdict = await service.audit.verify(principal.organization_id)
    broken = verdict.broken
    return VerdictOut(
        valid=broken is None,
        entries=verdict.entries,
        head=verdict.head,
        broken_at=broken.sequence if broken else None,
        reason=broken.reason if broken else None,
    )


async def _lines(pages: AsyncIterator[AuditPage]) -> AsyncIterator[str]:
    async for page in pages:
        yield "".join(entry.model_dump_json() + "\n" for entry in page.entries)
