"""Files: listed, asked about, cancelled, deleted, and downloaded by link."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from omnify_files.deps import ServiceDep
from omnify_files.links import Link
from omnify_files.schemas import FileOut, FilePage, FilesQuery, LinkIn, LinkOut, LinkQuery, QuotaOut
from omnify_shared.identity import ScopedPrincipal

router = APIRouter(prefix="/api/files", tags=["files"])
_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
}


_BYTES: Final[dict[str, Any]] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


@router.get("")
async def files(caller: ScopedPrincipal, service: ServiceDep, query: Annotated[FilesQuery, Query()]) -> FilePage:
    """The organisation's files that the caller may see, newest first."""
    return await service.files(caller, query)


@router.get("/quota")
async def quota(caller: ScopedPrincipal, service: ServiceDep) -> QuotaOut:
    """What the organisation's files take, uploads under way included, and what they may."""
    return await service.quota(caller.organization_id)


@router.get("/{file_id}")
async def file(file_id: str, caller: ScopedPrincipal, service: ServiceDep) -> FileOut:
    """A file and how far it is: uploading, quarantined, scanning, ready, refused, cancelled."""
    return FileOut.of(await service.file(caller, file_id))


@router.delete("/{file_id}", status_code=204)
async def delete(file_id: str, caller: ScopedPrincipal, service: ServiceDep) -> Response:
    """Deletes a file in whatever state it is, and its bytes with it."""
    await service.delete(await service.file(caller, file_id, "delete"))
    return Response(status_code=204)


@router.post("/{file_id}/cancel")
async def cancel(file_id: str, caller: ScopedPrincipal, service: ServiceDep) -> FileOut:
    """Stops an upload, or what is done with a file that is not ready yet (409 once it is at its end)."""
    found = await service.file(caller, file_id, "create")
    return FileOut.of(await service.cancel(found))


@router.post("/{file_id}/links", status_code=201)
async def link(file_id: str, caller: ScopedPrincipal, service: ServiceDep, wanted: LinkIn) -> LinkOut:
    """A link to download a ready file with, good for five minutes; it needs no token, so hand it on with care."""
    return await service.link(await service.file(caller, file_id), wanted.variant)


@router.get(
    "/{file_id}/content",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The bytes", "content": _BYTES},
        206: {"description": "The range of them that was asked for", "content": _BYTES},
    },
)
async def content(
    file_id: str,
    service: ServiceDep,
    query: Annotated[LinkQuery, Query()],
    wanted: Annotated[str | None, Header(alias="Range", description="One range of bytes; else 416 or all.")] = None,
    if_range: Annotated[str | None, Header(alias="If-Range", description="The content's `ETag`, else all.")] = None,
) -> Response:
    """Downloads what a link opens, always as an attachment; a download that broke off goes on by `Range`."""
    link = Link(query.organization, file_id, query.variant, query.expires)
    download = await service.download(link, query.signature, wanted, if_range)
    part, whole = download.range, download.content
    headers = {
        **_SAFE,
        "Accept-Ranges": "bytes",
        "Content-Disposition": download.disposition,
        "Content-Length": str(part.length if part else whole.size),
        "ETag": whole.etag,
        **({"Content-Range": str(part)} if part else {}),
    }
    return StreamingResponse(download.body, 206 if part else 200, headers, whole.media_type)
