"""A small app of the drills' own that counts what it did: `faults.counter:create_app`, run as a process beside daprd.

`POST /counts/{name}` counts a making, honours Idempotency-Key and emits an event, which the app itself handles through
its inbox, counting a handling. `POST /claims/{name}` asks for a name first come, first served.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, ClassVar

from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel
from pydantic_settings import SettingsConfigDict

from omnify_local.ports import free_port
from omnify_shared.app import service_app
from omnify_shared.deps import service_of
from omnify_shared.documents import Claims, Documents, Emit
from omnify_shared.events import CloudEvent, EventData, Subscriptions
from omnify_shared.idempotency import IdempotentRoute
from omnify_shared.platform import Platform
from omnify_shared.settings import Settings
from omnify_shared.testing import ExtraApp, Home, Service, Sidecar

COUNTER = ExtraApp(
    "counter", publishes=("counter-events", "counter-deadletters"), subscribes=("counter-events", "counter-deadletters")
)


class CounterSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="COUNTER_")
    app_id: ClassVar[str] = "counter"


class Counts(BaseModel):
    """How often a name was made, and how often that was handled."""

    made: int = 0
    handled: int = 0


class Claimed(BaseModel):
    """Who has a name."""

    owner: str | None


class ThingCounted(EventData, type="omnify.counter.thing.counted.v1"):
    name: str


class Counter:
    """The service object."""

    def __init__(self, platform: Platform) -> None:
        self.made = Documents(platform.state, "made", Counts, outbox=platform.outbox)
        self.handled = Documents(platform.state, "handled", Counts)
        self.claims = Claims(platform.state, "claimed")

    async def make(self, name: str) -> int:
        """One more, with its event."""

        def more(counts: Counts, emit: Emit) -> Counts:
            emit(ThingCounted(name=name))
            return Counts(made=counts.made + 1)

        return (await self.made.upsert(name, initial=Counts, change=more)).value.made

    async def handle(self, name: str) -> None:
        """One more handled: an effect that is not harmless to repeat."""
        await self.handled.upsert(name, initial=Counts, change=lambda counts, _: Counts(handled=counts.handled + 1))


CounterDep = Annotated[Counter, Depends(service_of(Counter))]
router = APIRouter()
making = APIRouter(route_class=IdempotentRoute)
subscriptions = Subscriptions("counter")


@subscriptions.on(ThingCounted, dedupe="inbox")
async def counted(event: CloudEvent[ThingCounted], counter: Counter) -> None:
    await counter.handle(event.data.name)


@making.post("/counts/{name}", status_code=201)
async def make(name: str, counter: CounterDep) -> Counts:
    return Counts(made=await counter.make(name))


@router.get("/counts/{name}")
async def counts(name: str, counter: CounterDep) -> Counts:
    made, handled = await counter.made.get(name), await counter.handled.get(name)
    return Counts(made=made.made if made else 0, handled=handled.handled if handled else 0)


@router.post("/claims/{name}")
async def claim(name: str, owner: str, counter: CounterDep) -> Claimed:
    return Claimed(owner=owner if await counter.claims.claim(name, owner) else None)


def create_app() -> FastAPI:
    """The app; settings come from the environment."""

    @asynccontextmanager
    async def build(platform: Platform) -> AsyncIterator[Counter]:
        yield Counter(platform)

    return service_app(
        CounterSettings(), title="Counter", build=build, routers=[router, making], subscriptions=subscriptions
    )


def counter_in(home: Home, **options: str) -> Service:
    """A replica of the counter in a home that admits COUNTER, not started yet."""
    here = str(Path(__file__).resolve().parents[1])
    sidecar = Sidecar(home, "counter", app_port=free_port())
    return Service(sidecar, "faults.counter:create_app", environment={"PYTHONPATH": here, **options})
