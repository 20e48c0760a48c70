"""Google Cloud Functions: HTTP to a door, Pub/Sub messages by Eventarc to a consumer, Cloud Scheduler to `upkeep`.

`main.py` of each function registers its entry points with functions-framework; here is what they do.
"""

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from omnify_functions.catalogue import find
from omnify_functions.host import Host

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent
    from starlette.types import ASGIApp, Receive, Scope, Send

PROXIES = 1  # Google's front end


class Answer(Response):
    """An answer that an ASGI app makes, all of it."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        await self._app(scope, receive, send)


def door(name: str) -> Answer:
    """The answer to every request of a function that is a door."""
    from omnify_functions.doors import Door

    function = find(name)
    return Answer(Door(Host(function), function, proxies=PROXIES))


class Consumer:
    """What a function does with CloudEvents: returning acknowledges one, an error has it delivered again."""

    def __init__(self, name: str) -> None:
        self._host = Host(find(name))

    async def take(self, event: "CloudEvent") -> None:
        """Handles one. Raises HTTPException: 503 when it is to be delivered again, 400 when it is none of ours."""
        from omnify_functions import consumers, shapes
        from omnify_shared.problems import Problem

        try:
            inner = shapes.pubsub(event["type"], event["source"], event["id"], event.data)
            [done] = await consumers.Consumer(self._host).take([inner])
        except shapes.UnknownShape as error:
            raise HTTPException(400, str(error)) from error
        except Problem as problem:
            raise HTTPException(503, problem.detail) from problem
        if not done:
            raise HTTPException(503, "not done: deliver it again")


async def upkeep(name: str) -> dict[str, Any]:
    """The answer to a schedule. Raises HTTPException (503)."""
    from omnify_functions.upkeep import upkeep as run
    from omnify_shared.problems import Problem

    try:
        return dict(await run(find(name).service))
    except Problem as problem:
        raise HTTPException(503, problem.detail) from problem
