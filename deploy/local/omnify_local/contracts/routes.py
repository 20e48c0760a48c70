"""Who may call what: read off the dependencies of the services' routes."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext

from omnify_local.contracts.services import Service
from omnify_shared import openapi
from omnify_shared.idempotency import IdempotentRoute
from omnify_shared.identity import SIGNED_IN

_PROBES = ("/health", "/health/live", "/health/ready")
_SIDECAR = ("/dapr/", "/events/")
_PUBLIC = ("/api/", "/.well-known/", "/oauth/")
_HEAD = """# Who may call what

Made from the routes' dependencies by `make contracts`. Every path of every service but the gateway and the probes can
only be reached through the service's own sidecar, which proves itself with the app token; the gateway lets through
only the prefixes of its table.

| Service | Method | Path | Needs | Idempotency-Key |
| --- | --- | --- | --- | --- |
"""


def public_document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document as the service publishes it itself."""
    return app.openapi()


def internal_document(app: FastAPI) -> dict[str, Any] | None:
    """The routes for peer services, which the public document leaves out; None when there are none."""
    made = openapi.document(app, internal=True)
    return made if made["paths"] else None


def permissions(services: Iterable[Service]) -> str:
    """A Markdown table of every route and what it asks of its caller."""
    rows = []
    for service in services:
        for route in sorted(openapi.api_routes(service.app), key=lambda one: str(one.path)):
            keyed = "yes" if isinstance(route.original_route, IdempotentRoute) and "POST" in _methods(route) else ""
            rows += [
                f"| {service.name} | {method} | `{route.path}` | {need_of(route, service.app)} | {keyed} |"
                for method in _methods(route)
            ]
    return _HEAD + "".join(f"{row}\n" for row in rows)


def _methods(route: RouteContext) -> list[str]:
    return sorted(route.methods or ())


def need_of(route: RouteContext, app: FastAPI) -> str:
    """What a route asks of its caller, in words."""
    path, calls = str(route.path), list(openapi.dependencies(route.dependant))
    needs = [f"`{call.permission}`" for call in calls if hasattr(call, "permission")]
    needs += [f"caller {', '.join(call.callers)}" for call in calls if hasattr(call, "callers")]
    if needs:
        return " and ".join(dict.fromkeys(needs))
    if not SIGNED_IN.isdisjoint(calls):
        return "signed in"
    if path.startswith(_SIDECAR):
        return "the sidecar"
    if path in _PROBES:
        return "probe"
    public = path.startswith(_PUBLIC) or (app.state.platform.settings.public and path != "/metrics")
    return "anyone" if public else "operators"
