"""Uploads by tus 1.0.0: OPTIONS, POST, HEAD, PATCH, DELETE."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response

from omnify_files import tus
from omnify_files.deps import ServiceDep
from omnify_files.kinds import MAX_SIZE
from omnify_files.records import FileRecord
from omnify_shared.identity import ScopedPrincipal

UPLOADS: Final = "/api/files/uploads"
router = APIRouter(prefix=UPLOADS, tags=["uploads"], route_class=tus.TusRoute)

Version = Annotated[None, Depends(tus.speaks)]  # after the caller in a signature: strangers are told nothing else
Length = Annotated[str | None, Header(alias="Upload-Length", description=f"Bytes of the file, 1 to {MAX_SIZE}.")]
Metadata = Annotated[
    str | None,
    Header(alias="Upload-Metadata", description="`filename` and `purpose`, each with its text in base64."),
]
Offset = Annotated[str | None, Header(alias="Upload-Offset", description="Where these bytes begin; else 409.")]
Digest = Annotated[
    str | None,
    Header(alias="Upload-Checksum", description="`sha256` or `sha1` and the digest of this body in base64; else 460."),
]
_CHUNK: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {tus.CHUNK_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.options("", status_code=204)
async def about() -> Response:
    """What this server speaks: version, extensions, the largest file, checksum algorithms."""
    return Response(status_code=204, headers=tus.ABOUT)


@router.post("", status_code=201)
async def create(
    caller: ScopedPrincipal,
    service: ServiceDep,
    _: Version,
    length: Length = None,
    metadata: Metadata = None,
) -> Response:
    """Announces a file; its bytes go to `Location`, in as many requests as it takes, within 24 h.

    Purposes: logo, creative, analysis_document, campaign_idea, brand_guide, other. 422 for a name or kind that is not
    taken for the purpose, 413 for a size beyond the purpose's or the organisation's limits, 429 for more uploads than
    it may begin in an hour.
    """
    size = tus.number("Upload-Length", length)
    file = await service.uploads.create(caller, size, tus.metadata(metadata), metadata or "")
    return Response(status_code=201, headers=_headers(file) | {"Location": f"{UPLOADS}/{file.file_id}"})


@router.head("/{file_id}", status_code=200)
async def offset_of(file_id: str, caller: ScopedPrincipal, service: ServiceDep, _: Version) -> Response:
    """How many bytes are there: where to go on after an interruption."""
    await service.file(caller, file_id, "create")
    file = await service.uploads.find(caller.organization_id, file_id)
    more = {"Upload-Length": str(file.length), "Upload-Metadata": file.metadata, "Cache-Control": "no-store"}
    return Response(status_code=200, headers=_headers(file) | more)


@router.patch("/{file_id}", status_code=204, openapi_extra=_CHUNK)
async def append(
    request: Request,
    file_id: str,
    caller: ScopedPrincipal,
    service: ServiceDep,
    _: Version,
    offset: Offset = None,
    digest: Digest = None,
) -> Response:
    """Adds bytes. Of several requests at once the newest goes on, the others get 409 or 423.

    What has come counts even when the request breaks off, and while it lasts all but the last 10 MiB; with a checksum
    all of it or nothing.
    """
    tus.chunk_type(request.headers.get("content-type"))
    announced = request.headers.get("content-length")
    await service.file(caller, file_id, "create")
    file = await service.uploads.append(
        caller.organization_id,
        file_id,
        tus.number("Upload-Offset", offset),
        request.stream(),
        announced=tus.number("Content-Length", announced) if announced is not None else None,
        checksum=tus.checksum(digest),
    )
    return Response(status_code=204, headers=_headers(file))


@router.delete("/{file_id}", status_code=204)
async def terminate(file_id: str, caller: ScopedPrincipal, service: ServiceDep, _: Version) -> Response:
    """Gives an upload up and drops its bytes, unless the file is ready already (409)."""
    file = await service.file(caller, file_id, "create")
    await service.cancel(file)
    return Response(status_code=204)


def _headers(file: FileRecord) -> dict[str, str]:
    expires = {"Upload-Expires": tus.moment(file.expires_at)} if file.state == "uploading" else {}
    return {"Upload-Offset": str(file.offset), **expires}
