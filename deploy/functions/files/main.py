"""Google Cloud Functions: `files` judges files whose bytes are all there; `upkeep` those that were left."""

import functions_framework.aio
from cloudevents.http import CloudEvent
from starlette.requests import Request

from omnify_functions import google

_consumer = google.Consumer("files")


@functions_framework.aio.cloud_event
async def files(event: CloudEvent) -> None:
    """One message of Pub/Sub."""
    await _consumer.take(event)


@functions_framework.aio.http
async def upkeep(request: Request) -> dict[str, str]:
    """For Cloud Scheduler."""
    return await google.upkeep("files")
