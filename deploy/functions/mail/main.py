"""Google Cloud Functions: `mail` sends the mails that events ask for; `upkeep` those that wait for another try."""

import functions_framework.aio
from cloudevents.http import CloudEvent
from starlette.requests import Request

from omnify_functions import google

_consumer = google.Consumer("mail")


@functions_framework.aio.cloud_event
async def mail(event: CloudEvent) -> None:
    """One message of Pub/Sub."""
    await _consumer.take(event)


@functions_framework.aio.http
async def upkeep(request: Request) -> dict[str, str]:
    """For Cloud Scheduler."""
    return await google.upkeep("mail")
