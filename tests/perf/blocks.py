"""Benchmarks of the building blocks, each against the bare Dapr call that it stands on."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dapr.clients.grpc._request import TransactionalStateOperation
from dapr.clients.grpc._state import StateItem
from fastapi import FastAPI, Request

from conformance.probe import CONSUMER, PROBE, ConsumerSettings, Thing, ThingHappened, running, serving, settings_for
from omnify_local import topology
from omnify_local.ports import free_port
from omnify_shared.app import service_app
from omnify_shared.documents import Documents
from omnify_shared.events import CloudEvent, Subscriptions
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform
from omnify_shared.testing import ExtraApp, Home, Sidecar
from omnify_shared.testing.backing import Backing
from perf.measure import Row, in_turn, percentile

if TYPE_CHECKING:
    from perf.run import Run

RATE = 100  # events per second
EVENTS = 600
OUTBOX_EVENTS = 15


async def saves(run: "Run") -> list[Row]:
    """An aggregate saved with an event, against a bare save of the same bytes by the SDK."""
    home = run.backing.home(run.folder / "saves", run.set_name, [PROBE, CONSUMER])
    with Sidecar(home, "probe") as sidecar:
        async with running(sidecar) as probe:
            return await _saves(probe)


async def _saves(platform: Platform) -> list[Row]:
    things: Documents[Thing] = Documents(platform.state, "bench", Thing, outbox=platform.outbox)

    async def bare() -> None:
        item = StateItem(key=f"bare/{new_id()}", value=b'{"v":1,"n":1,"x":null,"d":{"name":"x"},"o":[]}')
        await platform.sidecar.client.save_bulk_state("statestore", [item])

    async def ours() -> None:
        key = new_id()
        await things.create(key, value=Thing(name="x"), events=[ThingHappened(name="x")])

    mine, floor = await in_turn([ours, bare], 300)
    rows = [Row("aggregate save with an event, p50, one at a time", mine, floor, "ms", "<= 2")]
    await asyncio.sleep(2)
    seconds = [await _throughput(work, 16, 100) for work in (ours, bare)]
    rows.append(Row("the same, per save, 16 at a time", seconds[0], seconds[1], "ms"))
    return rows


async def _throughput(work: Any, parallel: int, each: int) -> float:
    async def lane() -> None:
        for _ in range(each):
            await work()

    started = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(parallel)))
    return (time.perf_counter() - started) * 1000 / (parallel * each)


class Arrivals:
    """When each event was committed (or handed to the broker) and when its handler ran, by name."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.handled: dict[str, float] = {}

    def latencies(self) -> list[float]:
        return [(self.handled[name] - self.sent[name]) * 1000 for name in self.sent if name in self.handled]

    async def wait(self, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while self.sent.keys() - self.handled.keys():
                await asyncio.sleep(0.05)


def bare_consumer(arrivals: Arrivals) -> FastAPI:
    """The least that can consume a topic."""
    app = FastAPI()

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {}

    @app.get("/dapr/subscribe")
    async def subscribe() -> list[dict[str, str]]:
        return [{"pubsubname": "pubsub", "topic": "probe-events", "route": "/events"}]

    @app.post("/events")
    async def handle(request: Request) -> dict[str, str]:
        data = (await request.json())["data"]
        name = (json.loads(data) if isinstance(data, str) else data)["name"]
        arrivals.handled.setdefault(name, time.perf_counter())
        return {"status": "SUCCESS"}

    return app


def our_consumer(sidecar: Sidecar, arrivals: Arrivals) -> FastAPI:
    """A service with a durable inbox."""
    subscriptions = Subscriptions("consumer")

    @subscriptions.on(ThingHappened, dedupe="inbox")
    async def handle(event: CloudEvent[ThingHappened], _: Any) -> None:
        arrivals.handled.setdefault(event.data.name, time.perf_counter())

    @asynccontextmanager
    async def build(_: Platform) -> AsyncIterator[None]:
        yield None

    settings = settings_for(sidecar, ConsumerSettings).model_copy(update={"log_level": "ERROR"})
    return service_app(settings, title="Consumer", build=build, routers=[], subscriptions=subscriptions)


async def events(run: "Run") -> list[Row]:
    """Commit → handled at RATE, against a bare publish → handled and against Dapr's own outbox."""
    set_name, backing, folder = run.set_name, run.backing, run.folder
    home = backing.home(folder / "events", set_name, [PROBE, CONSUMER])
    with Sidecar(home, "probe") as sidecar:
        async with running(sidecar) as platform:
            bare = await _measured(home, platform, _bare_publish, own=False)
            ours = await _measured(home, platform, _our_commit, own=True)
    stock = await _stock_outbox(set_name, backing, folder)
    rows = [
        Row("commit → handled, p50", percentile(ours, 0.5), percentile(bare, 0.5), "ms", "<= 2"),
        Row("commit → handled, p99", percentile(ours, 0.99), percentile(bare, 0.99), "ms", "<= 2"),
    ]
    if stock:
        p50 = percentile(stock, 0.5)
        rows.append(Row("Dapr's outbox / ours, p50", p50, percentile(ours, 0.5), "ms", ">= 100"))
    return rows


async def _measured(home: Home, platform: Platform, send: Any, *, own: bool) -> list[float]:
    arrivals = Arrivals()
    async with consuming(home, arrivals, own=own):
        await _warm(platform, arrivals, send)
        await _at_rate(platform, arrivals, send, EVENTS)
    return arrivals.latencies()


@asynccontextmanager
async def consuming(home: Home, arrivals: Arrivals, *, own: bool) -> AsyncIterator[None]:
    """A consumer behind its sidecar: a service of ours with an inbox, or the least there can be."""
    port = free_port()
    sidecar = Sidecar(home, "consumer", app_port=port)
    app = our_consumer(sidecar, arrivals) if own else bare_consumer(arrivals)
    async with serving(app, port):
        await asyncio.to_thread(sidecar.start)
        try:
            await asyncio.to_thread(sidecar.wait_for_app)
            yield
        finally:
            await asyncio.to_thread(sidecar.terminate)


async def _warm(platform: Platform, arrivals: Arrivals, send: Any) -> None:
    for _ in range(10):
        await send(platform, arrivals, new_id())
        await asyncio.sleep(0.1)
    await arrivals.wait()
    arrivals.sent.clear()


async def _at_rate(platform: Platform, arrivals: Arrivals, send: Any, count: int) -> None:
    started, running_sends = time.perf_counter(), []
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
        running_sends.append(asyncio.create_task(send(platform, arrivals, new_id())))
    await asyncio.gather(*running_sends)
    await arrivals.wait()


async def _bare_publish(platform: Platform, arrivals: Arrivals, name: str) -> None:
    arrivals.sent[name] = time.perf_counter()
    await platform.sidecar.client.publish_event(
        "pubsub",
        "probe-events",
        b'{"name":"%s"}' % name.encode(),
        publish_metadata={"partitionKey": name},
        data_content_type="application/json",
    )


async def _our_commit(platform: Platform, arrivals: Arrivals, name: str) -> None:
    things: Documents[Thing] = Documents(platform.state, "thing", Thing, outbox=platform.outbox)
    await things.create(name, value=Thing(name=name), events=[ThingHappened(name=name)])
    arrivals.sent[name] = time.perf_counter()


async def _stock_outbox(set_name: str, backing: Backing, folder: Path) -> list[float]:
    """Dapr's outbox: one event at a time, as it takes about a second for each; empty when nothing arrives."""
    internal = "defaultprobeprobe-eventsoutbox"
    topics = (*PROBE.publishes, internal)
    probe = ExtraApp("probe", publishes=topics, subscribes=(*PROBE.subscribes, internal))
    home = backing.home(folder / "outbox", set_name, [probe, CONSUMER])
    home.set_metadata("statestore", outboxPublishPubsub="pubsub", outboxPublishTopic="probe-events")
    home.namespace = "default"  # part of the internal topic's name
    topology.declare(home.components, home.infrastructure, namespace=home.namespace)
    with Sidecar(home, "probe") as sidecar:
        async with running(sidecar) as platform:
            try:
                return await _measured_serial(home, platform)
            except TimeoutError:
                print(f"{set_name}: Dapr's own outbox delivered nothing, so it has no row", file=sys.stderr)
                return []


async def _measured_serial(home: Home, platform: Platform) -> list[float]:
    arrivals = Arrivals()
    async with consuming(home, arrivals, own=False):
        for _ in range(OUTBOX_EVENTS):
            name = new_id()
            operation = TransactionalStateOperation(key=f"t/{name}", data=b'{"name":"%s"}' % name.encode())
            await platform.sidecar.client.execute_state_transaction("statestore", [operation])
            arrivals.sent[name] = time.perf_counter()
            await arrivals.wait()
    return arrivals.latencies()
