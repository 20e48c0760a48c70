"""An app's OpenAPI 3.1 document as it really answers: problems instead of FastAPI's errors, access tokens, keys."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from omnify_shared.idempotency import MAX_KEY, IdempotentRoute
from omnify_shared.identity import SIGNED_IN
from omnify_shared.openapi_texts import PROBLEM, PROBLEM_ANSWER, TOKEN_SCHEME, Document, info, servers
from omnify_shared.settings import Settings

_KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeated request with the same key gets the first one's answer, for 24 h.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
}


class _Shown(RouteContext):
    include_in_schema = True


def install(app: FastAPI) -> None:
    """Makes `app.openapi()`, and so `/openapi.json`, give this document."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def document(app: FastAPI, *, internal: bool = False) -> Document:
    """The public document, or with `internal` the one of the routes for peer services (`/internal/…`)."""
    routes = api_routes(app)
    if internal:
        routes = [_Shown(**vars(route)) for route in routes if str(route.path).startswith("/internal/")]
    title = f"{app.title}, internal" if internal else app.title
    settings: Settings = app.state.platform.settings
    made = get_openapi(
        title=title,
        version=app.version,
        description=info(settings.max_body_bytes),
        servers=servers(settings.app_id),
        routes=routes,
    )
    for route in routes:
        if route.include_in_schema:
            for method in route.methods or ():
                _describe(made["paths"][route.path_format][method.lower()], route)
    made["paths"] = {path: dict(sorted(item.items())) for path, item in sorted(made["paths"].items())}
    _complete(made.setdefault("components", {}), made["paths"])
    return made


def api_routes(app: FastAPI) -> list[RouteContext]:
    """The app's routes with the path, methods and dependencies that they have within it."""
    return [route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute)]


def dependencies(dependant: Dependant) -> Iterator[Any]:
    """The functions that a route depends on, near and far."""
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from dependencies(dependency)


def _describe(operation: Document, route: RouteContext) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = PROBLEM_ANSWER
    calls = list(dependencies(route.dependant))
    if not SIGNED_IN.isdisjoint(calls):
        operation["security"] = [
            {"accessToken": sorted({call.permission for call in calls if hasattr(call, "permission")})}
        ]
    if isinstance(route.original_route, IdempotentRoute) and "POST" in (route.methods or ()):
        operation.setdefault("parameters", []).append(_KEY)


def _complete(components: Document, paths: Document) -> None:
    schemas = components.get("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["schemas"] = dict(sorted({**schemas, "Problem": PROBLEM}.items()))
    if any("security" in operation for item in paths.values() for operation in item.values()):
        components["securitySchemes"] = {"accessToken": TOKEN_SCHEME}
