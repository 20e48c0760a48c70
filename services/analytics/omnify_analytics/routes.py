"""The API of the analytics service."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from omnify_analytics.deps import AnalyticsAdmin, AnalyticsView, ServiceDep
from omnify_analytics.queries import CohortsQuery, ImportsQuery, OverviewQuery
from omnify_analytics.schemas import Cohorts, ImportAccepted, ImportPage, ImportStatus, Overview
from omnify_analytics.uploads import received

PREFIX: Final = "/api/analytics"
UPLOADS: Final = f"{PREFIX}/imports"
router = APIRouter(prefix=PREFIX, tags=["analytics"])

_UPLOAD_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "options"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "Text in UTF-8, one order per line; a file part, with a file name.",
                        },
                        "options": {"$ref": "#/components/schemas/ImportOptions"},
                    },
                },
                "encoding": {"options": {"contentType": "application/json"}},
            }
        },
    }
}


@router.post("/imports/orders", status_code=202, openapi_extra=_UPLOAD_FORM)
async def import_orders(request: Request, caller: AnalyticsAdmin, service: ServiceDep) -> ImportAccepted:
    """Takes an order file (CSV or the like) in the background: ask for the import until it has ended.

    The same bytes again give the same import, so an upload may be repeated. A file has at most 60 MiB (413
    `file-too-large`); a sidecar that it goes through takes 4 MiB unless started with `--max-body-size`. All orders of
    an organisation are in one currency (409 `currency-differs`).
    """
    async with received(request, service.settings.max_file_bytes) as upload:
        return ImportAccepted(import_id=await service.start_import(caller, upload))


@router.get("/imports")
async def imports(caller: AnalyticsView, service: ServiceDep, query: Annotated[ImportsQuery, Query()]) -> ImportPage:
    """The organisation's imports, newest first."""
    return await service.imports(caller.organization_id, query.cursor, query.limit)


@router.get("/imports/{import_id}")
async def import_status(import_id: str, caller: AnalyticsView, service: ServiceDep) -> ImportStatus:
    """How far an import is, and which lines were rejected. It has ended when `status` is `completed` or `failed`."""
    return await service.import_status(caller.organization_id, import_id)


@router.get("/overview", response_model=Overview)
async def overview(caller: AnalyticsView, service: ServiceDep, query: Annotated[OverviewQuery, Query()]) -> Response:
    """Revenue, orders, customers, AOV and repeat rate of a range of days, with a series."""
    return _json(await service.overview(caller.organization_id, query))


@router.get("/cohorts", response_model=Cohorts)
async def cohorts(caller: AnalyticsView, service: ServiceDep, query: Annotated[CohortsQuery, Query()]) -> Response:
    """Retention of customers by the period of their first order."""
    return _json(await service.cohorts(caller.organization_id, query))


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
