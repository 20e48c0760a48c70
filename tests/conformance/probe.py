"""A probe app without HTTP, and a consumer app that notes what it handles and fails on demand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx2 as httpx
import uvicorn
from pydantic import BaseModel

from omnify_shared.access import OPERATOR
from omnify_shared.app import service_app
from omnify_shared.events import CloudEvent, EventData, Poison, Subscriptions
from omnify_shared.platform import Platform, make_platform
from omnify_shared.settings import Settings
from omnify_shared.telemetry import Telemetry
from omnify_shared.testing import ExtraApp, Sidecar

PROBE = ExtraApp(
    "probe",
    publishes=("probe-events", "probe-deadletters"),
    subscribes=("probe-events", "probe-deadletters"),
    secrets={"probe-secret": "a value that only the probe may read"},
)
CONSUMER = ExtraApp(
    "consumer", publishes=("consumer-deadletters",), subscribes=("probe-events", "consumer-deadletters")
)


class ProbeSettings(Settings):
    app_id: ClassVar[str] = "probe"


class ConsumerSettings(Settings):
    app_id: ClassVar[str] = "consumer"


def settings_for(sidecar: Sidecar, cls: type[Settings] = ProbeSettings) -> Settings:
    return cls(
        environment="test",
        dapr_http_port=sidecar.ports.http,
        dapr_grpc_port=sidecar.ports.grpc,
        dapr_api_token=sidecar.home.dapr_api_token,
        app_api_token=sidecar.home.app_api_token,
    )


@asynccontextmanager
async def running(sidecar: Sidecar, *, clean: bool = True) -> AsyncIterator[Platform]:
    """A replica of the probe app, without HTTP; leaving it is a clean stop, or with `clean=False` a crash."""
    platform = make_platform(settings_for(sidecar), Telemetry("probe"), uses_state=True)
    platform.tasks.spawn(platform.sidecar.watch(), name="watch")
    platform.tasks.spawn(platform.outbox.run(), name="outbox")
    await platform.sidecar.ready.wait()
    try:
        yield platform
        if clean:
            await platform.outbox.drain()
    finally:
        await platform.tasks.close()
        await platform.sidecar.close()
        platform.telemetry.close()


async def crash(platform: Platform) -> None:
    """Ends a replica as SIGKILL would: nothing is drained."""
    await platform.tasks.close()
    await platform.sidecar.close()


class ThingHappened(EventData, type="omnify.probe.thing.happened.v1"):
    """What the probe publishes."""

    name: str
    fail: str = ""


class Thing(BaseModel):
    """The probe's aggregate."""

    name: str


class Notes:
    """What the consumer handled, by event id and by name; `broken` names fail until taken out."""

    def __init__(self) -> None:
        self.handled: list[CloudEvent[ThingHappened]] = []
        self.tries: Counter[str] = Counter()
        self.broken: set[str] = set()

    def of(self, name: str) -> list[CloudEvent[ThingHappened]]:
        return [event for event in self.handled if event.data.name == name]

    async def wait_for(self, name: str, count: int = 1, seconds: float = 20) -> list[CloudEvent[ThingHappened]]:
        async with asyncio.timeout(seconds):
            while len(self.of(name)) < count:
                await asyncio.sleep(0.01)
        return self.of(name)


def consumer_app(settings: Settings, notes: Notes) -> Any:
    subscriptions = Subscriptions("consumer")

    @subscriptions.on(ThingHappened, dedupe="inbox")
    async def note(event: CloudEvent[ThingHappened], service: Notes) -> None:
        name = event.data.name
        service.tries[name] += 1
        if event.data.fail == "poison" and name in service.broken:
            raise Poison("it is marked as poison")
        if name in service.broken:
            raise RuntimeError("broken for now")
        service.handled.append(event)

    @asynccontextmanager
    async def build(_: Platform) -> AsyncIterator[Notes]:
        yield notes

    return service_app(settings, title="Consumer", build=build, routers=[], subscriptions=subscriptions)


@asynccontextmanager
async def serving(app: Any, port: int) -> AsyncIterator[None]:
    """Serves an app on loopback within this process; leaving it is a clean stop."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=5)
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@dataclass
class Consumer:
    """The consumer app, served in this process beside its own sidecar."""

    notes: Notes
    sidecar: Sidecar

    async def call(self, method: str, path: str) -> httpx.Response:
        """Calls the consumer as its sidecar hands on an operator's call."""
        headers = {"dapr-api-token": self.sidecar.home.app_api_token, "dapr-caller-app-id": OPERATOR}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.sidecar.app_port}", headers=headers) as client:
            return await client.request(method, path)
