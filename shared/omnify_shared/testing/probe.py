"""A tiny app for tests of delivery: it notes every event in a file and answers as the event's data asks.

Data `{"name": …, "do": "succeed" | "retry" | "fail" | "hang"}`; notes go to `<home>/probe.jsonl`, as
`{topic, id, data, at}` each.
An event that it is to retry is dropped at the last of TRIES, as every app of ours does; one hangs only the first time.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from omnify_shared.events.subscriptions import TRIES

EVENTS, DEAD_LETTERS = "probe-events", "probe-deadletters"
NOTES = "probe.jsonl"


def notes(home: Path) -> list[dict[str, Any]]:
    """What the app of a home has noted so far."""
    path = home / NOTES
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _note(entry: dict[str, Any]) -> None:
    with Path(NOTES).open("a") as file:
        file.write(json.dumps(entry) + "\n")


async def _bury(request: Request) -> dict[str, str]:
    # A dead letter is the event as it was: its `topic` is still the first one.
    event = await request.json()
    _note({"topic": DEAD_LETTERS, "id": event["id"], "data": event["data"], "at": time.time()})
    return {"status": "SUCCESS"}


async def _handle(request: Request) -> Response:
    event = await request.json()
    _note({"topic": EVENTS, "id": event["id"], "data": event["data"], "at": time.time()})
    wish = event["data"]["do"]
    if wish == "hang" and _tries(event["id"]) == 1:
        await asyncio.sleep(60)
    if wish == "fail":
        return Response(status_code=500)
    answer = "SUCCESS" if wish != "retry" else "DROP" if _tries(event["id"]) >= TRIES else "RETRY"
    return Response(json.dumps({"status": answer}), media_type="application/json")


def _tries(event_id: str) -> int:
    return sum(note["id"] == event_id and note["topic"] == EVENTS for note in notes(Path()))


def create_app() -> FastAPI:
    """The app; needs no environment."""
    app = FastAPI()

    async def healthy() -> dict[str, str]:
        return {"status": "healthy"}

    async def subscriptions() -> list[dict[str, str]]:
        events = {"pubsubname": "pubsub", "topic": EVENTS, "route": "/events", "deadLetterTopic": DEAD_LETTERS}
        return [events, {"pubsubname": "pubsub", "topic": DEAD_LETTERS, "route": "/dead-letters"}]

    app.add_api_route("/health/live", healthy)
    app.add_api_route("/health/ready", healthy)
    app.add_api_route("/dapr/subscribe", subscriptions)
    app.add_api_route("/events", _handle, methods=["POST"])
    app.add_api_route("/dead-letters", _bury, methods=["POST"])
    return app
