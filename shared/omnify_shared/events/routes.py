"""The routes that the sidecar calls to deliver events, and those that list and replay dead letters.

`DaprApp` (dapr-ext-fastapi) answers `GET /dapr/subscribe`; its decorator returns None, so handlers are passed to it as
plain functions.
"""

import asyncio
from typing import Annotated

from dapr.ext.fastapi import DaprApp
from fastapi import APIRouter, Depends, FastAPI, Query, Request

from omnify_shared.access import OPERATOR
from omnify_shared.events.deadletters import DeadLetter, DeadLetterPage, DeadLetters
from omnify_shared.events.delivery import RAW, event_in
from omnify_shared.events.subscriptions import Dispatcher, Subscriptions
from omnify_shared.identity import require_caller

PUBSUB = "pubsub"
FIRST_CONTACT = 5.0  # seconds
Status = dict[str, str]


def mount(app: FastAPI, subscriptions: Subscriptions, dispatcher: Dispatcher, letters: DeadLetters) -> None:
    """Adds the subscriptions of an app, each with the app's dead-letter topic.

    A sidecar may deliver a moment before the app has noticed that it is up, so both routes wait for that. Apps hear
    many events that are not for them, so deliveries are the first route that is tried.
    """
    dapr_app = DaprApp(app)
    sidecar = app.state.platform.sidecar

    async def deliver(request: Request) -> Status:
        await sidecar.wait_ready(FIRST_CONTACT)
        answer, _ = await dispatcher.dispatch(event_in(await request.body()), request.app.state.service)
        if answer == "RETRY":
            await asyncio.sleep(0.05)
        return {"status": answer}

    async def keep(request: Request) -> Status:
        await sidecar.wait_ready(FIRST_CONTACT)
        await letters.keep(event_in(await request.body()))
        return {"status": "SUCCESS"}

    others = list(app.router.routes)
    for topic in subscriptions.topics:
        options = {"metadata": dict(RAW), "dead_letter_topic": subscriptions.dead_letter_topic}
        dapr_app.subscribe(PUBSUB, topic, route=f"/events/{topic}", **options)(deliver)
    dapr_app.subscribe(PUBSUB, subscriptions.dead_letter_topic, metadata=dict(RAW), route="/events/deadletters")(keep)
    app.router.routes[:] = [*app.router.routes[len(others) :], *others]
    app.include_router(_operator_routes(dispatcher, letters))


def _operator_routes(dispatcher: Dispatcher, letters: DeadLetters) -> APIRouter:
    router = APIRouter(tags=["operations"], dependencies=[Depends(require_caller(OPERATOR))])

    @router.get("/dead-letters", response_model=DeadLetterPage)
    async def list_dead_letters(
        cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> DeadLetterPage:
        """Events that this service could not handle, newest first, with their reasons."""
        return await letters.list(cursor=cursor, limit=limit)

    @router.post("/dead-letters/{letter_id}/replay", response_model=DeadLetter)
    async def replay_dead_letter(letter_id: str, request: Request) -> DeadLetter:
        """Hands a dead letter to its handler again; 409 with the reason when it fails again."""
        return await letters.replay(letter_id, lambda event: dispatcher.dispatch(event, request.app.state.service))

    return router
