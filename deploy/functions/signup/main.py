"""Google Cloud Functions: `signup` takes registrations; `upkeep`, for a schedule alone, looks after what they left."""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from omnify_functions import google

_door = google.door("signup")


@functions_framework.aio.http
async def signup(request: Request) -> Response:
    """The whole answer, from auth's own route."""
    return _door


@functions_framework.aio.http
async def upkeep(request: Request) -> dict[str, str]:
    """For Cloud Scheduler."""
    return await google.upkeep("signup")
