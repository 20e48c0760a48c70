"""Wires the gateway."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from omnify_gateway.access import ACCESS
from omnify_gateway.door import Door
from omnify_gateway.proxy import METHODS
from omnify_gateway.routes import router
from omnify_gateway.service import GatewayService
from omnify_gateway.settings import GatewaySettings
from omnify_shared.app import service_app
from omnify_shared.platform import Platform


def create_app(settings: GatewaySettings | None = None) -> ASGIApp:
    """The ASGI app of the gateway."""
    settings = settings or GatewaySettings()

    @asynccontextmanager
    async def build(platform: Platform) -> AsyncIterator[GatewayService]:
        service = GatewayService(platform, settings)
        yield service
        service.pool.close()

    app = service_app(settings, title="Omnify gateway", build=build, routers=[], uses_state=False, access=ACCESS)
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") != app.openapi_url]
    app.include_router(router)
    door = Door(app, settings)
    return _allow_origins(door, settings.cors_origins) if settings.cors_origins else door


def _allow_origins(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=sorted(METHODS),
        allow_headers=["authorization", "content-type", "idempotency-key", "x-request-id", "traceparent"],
        expose_headers=["x-request-id", "retry-after", "location"],
        max_age=600,
    )
