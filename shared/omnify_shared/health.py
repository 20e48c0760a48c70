"""Liveness and readiness. Liveness says that the process answers and never asks a dependency; readiness also says
that the sidecar is up and that the app has taken up its background duties."""

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from omnify_shared.platform import Platform
from omnify_shared.telemetry import METRICS_TYPE, Telemetry


class Health(BaseModel):
    """The answer of the probes."""

    status: str
    service: str


def mount(app: FastAPI, app_id: str, platform: Platform, telemetry: Telemetry) -> None:
    """Adds `/health`, `/health/live`, `/health/ready` and `/metrics`."""
    router = APIRouter(tags=["operations"])

    @router.get("/health", response_model=Health)
    @router.get("/health/live", response_model=Health)
    async def live() -> Health:
        """The process is alive."""
        return Health(status="healthy", service=app_id)

    @router.get("/health/ready")
    async def ready() -> Response:
        """The service can do its work: 200, else 503, with one line per check."""
        checks = platform.checks()
        good = all(checks.values())
        body = {"status": "ready" if good else "not ready", "service": app_id, "checks": checks}
        return JSONResponse(body, status_code=200 if good else 503)

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(telemetry.exposition(), media_type=METRICS_TYPE)

    app.include_router(router)
