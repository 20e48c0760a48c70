"""What a service holds about a user, for the export that auth gives to that user.

service_app(…, routers=[router, export_router()])     # app.py; the service's object has `export(user_id)`
"""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import JsonValue

from omnify_shared.access import Call
from omnify_shared.identity import require_caller

_PATH = "/internal/users/{user_id}/export"
MOST = 10_000  # entries of one list; the answer stays within what a sidecar takes


def export_call(app_id: str) -> Call:
    """The operation of a service that auth asks."""
    return Call(app_id, "GET", _PATH)


def export_router() -> APIRouter:
    """The route, for auth alone."""
    router = APIRouter(dependencies=[Depends(require_caller("auth"))], include_in_schema=False)

    @router.get(_PATH)
    async def export(user_id: UUID, request: Request) -> dict[str, JsonValue]:
        """All that is held about a user, without secrets and without what is about others."""
        service: Any = request.app.state.service
        return with_what_was_cut(await service.export(str(user_id)))

    return router


def with_what_was_cut(found: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """What was found, with `cut`: the names of lists that end at MOST entries, the newest, and may go on."""
    cut: list[JsonValue] = [name for name, value in found.items() if isinstance(value, list) and len(value) >= MOST]
    return found | {"cut": cut} if cut else found
