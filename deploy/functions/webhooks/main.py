"""Google Cloud Functions: `webhooks` takes what other platforms send; `upkeep` looks after what was left."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from omnify_functions import google

_door = google.door("webhooks")


@functions_framework.aio.http
async def webhooks(request: Request) -> Response:
    """The whole answer, from the service's own route."""
    return _door


@functions_framework.aio.http
async def upkeep(request: Request) -> dict[str, str]:
    """For Cloud Scheduler."""
    return await google.upkeep("webhooks")
