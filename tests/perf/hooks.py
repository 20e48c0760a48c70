"""Webhooks under measurement: deliveries a second, what a dead endpoint costs the others, and the way in."""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import httpx2 as httpx
from pydantic_core import to_json

from omnify_local.journey import Marketer
from omnify_local.ports import answers
from omnify_local.processes import Process
from omnify_shared import clock
from omnify_shared.dapr.client import SidecarClient
from omnify_shared.dapr.endpoints import Endpoint
from omnify_shared.events.publisher import PUBSUB
from omnify_shared.ids import new_id
from omnify_shared.testing import Platform
from perf.measure import Row, percentile
from perf.run import Run
from support.vendors import VENDORS

FAILED = "omnify.analytics.import.failed.v1"
AT_ONCE = 1000  # events as fast as the broker takes them
ROUNDS = 12  # in turn, so that a drift of the machine hits all alike
STEADY, SECONDS = 10, 2  # events a second, and for how long in each round
WELL = 4  # endpoints that answer
KINDS = ("hanging", "refusing")  # how another one is dead
RECEIVED = 400  # requests of another platform, four at a time


def rows(run: Run) -> list[Row]:
    """All of it, on the running platform."""
    platform = run.bench.platform
    with receiver(platform, run.folder) as file:
        rate = asyncio.run(_deliveries(platform, run.bench.joined(), file))
        alone, *beside = asyncio.run(_beside_dead_ones(run, file))
    acknowledged = asyncio.run(_received(run.bench.joined()))
    p99 = percentile(acknowledged, 0.99) * 1000
    return [
        Row("webhooks delivered / 100 per second", rate, 100, "/s", ">= 1"),
        *(
            Row(f"event → delivered, p95, beside one that is {kind} / alone", late, alone, "ms", "<= 1.1")
            for kind, late in zip(KINDS, beside, strict=True)
        ),
        Row("event → delivered, p95 / 2 s", alone, 2000, "ms", "<= 1"),
        Row("webhook taken in, p99 at 4 at a time / 100 ms", p99, 100, "ms", "<= 1"),
        Row("the same, rate", len(acknowledged) / sum(acknowledged) * 4, 100, "/s"),
    ]


@contextmanager
def receiver(platform: Platform, folder: Path) -> Iterator[Path]:
    """Runs the receiver where the platform may send."""
    file, port = folder / "received.tsv", platform.receiver_port
    command = [sys.executable, str(Path(__file__).with_name("receiver.py")), str(port), str(file)]
    process = Process("receiver", command, log=folder / "receiver.log")
    process.wait_until(lambda: answers(port), timeout=30)
    try:
        yield file
    finally:
        process.kill()


def _endpoint(platform: Platform, marketer: Marketer, path: str) -> None:
    form = {"url": f"http://127.0.0.1:{platform.receiver_port}{path}", "event_types": [FAILED]}
    marketer.ask("POST", "/api/webhooks/endpoints", 201, json=form)


async def _publish(client: SidecarClient, organization_id: str) -> None:
    event = {
        "specversion": "1.0", "id": new_id(), "source": "analytics", "type": FAILED, "subject": organization_id,
        "time": clock.now().isoformat(), "sequence": "1", "datacontenttype": "application/json",
        "data": {"organization_id": organization_id, "import_id": new_id(), "reason": "a benchmark"},
    }  # fmt: skip
    await client.publish_event(
        PUBSUB, "analytics-events", to_json(event), publish_metadata={"partitionKey": new_id()},
        data_content_type="application/cloudevents+json",
    )  # fmt: skip


def _client(platform: Platform) -> SidecarClient:
    sidecar = platform.services["analytics"].sidecar
    return SidecarClient(Endpoint.beside(sidecar.ports.grpc), {"dapr-api-token": platform.home.dapr_api_token})


async def _deliveries(platform: Platform, marketer: Marketer, file: Path) -> float:
    """Messages a second of one organisation with five endpoints, from the first event to the last arrival."""
    paths = [f"/{new_id()}" for _ in range(5)]
    for path in paths:
        _endpoint(platform, marketer, path)
    client, started = _client(platform), time.time()
    organization_id = marketer.tokens["user"]["organization_id"]
    for _ in range(0, AT_ONCE // 5, 20):
        await asyncio.gather(*(_publish(client, organization_id) for _ in range(20)))
    arrived = await _arrived(file, paths, AT_ONCE)
    await client.close()
    return AT_ONCE / (max(arrived) - started)


async def _beside_dead_ones(run: Run, file: Path) -> list[float]:
    """The 95th percentile of event → arrival in milliseconds at the endpoints that answer, the median of all rounds: of
    an organisation that has only such, and of one more for each kind of dead endpoint, which has that one besides."""
    platform, organizations = run.bench.platform, []
    for kind in (None, *KINDS):
        marketer, paths = run.bench.joined(), [f"/{new_id()}" for _ in range(WELL)]
        for path in [*paths, *([f"/{kind}/{new_id()}"] if kind else [])]:
            _endpoint(platform, marketer, path)
        organizations.append((marketer.tokens["user"]["organization_id"], paths))
    await asyncio.sleep(1.5)
    client = _client(platform)
    found: list[list[float]] = [[] for _ in organizations]
    each = STEADY * SECONDS * WELL
    for number in range(1, ROUNDS + 1):
        for kept, (organization_id, paths) in zip(found, organizations, strict=True):
            for _ in range(STEADY * SECONDS):
                await asyncio.gather(_publish(client, organization_id), asyncio.sleep(1 / STEADY))
            await _arrived(file, paths, number * each)
            kept.append(percentile(_late(file, paths)[-each:], 0.95) * 1000)
    await client.close()
    return [statistics.median(kept) for kept in found]


def _late(file: Path, paths: list[str]) -> list[float]:
    """Seconds from each event to its arrival."""
    return [at - datetime.fromisoformat(json.loads(body)["timestamp"]).timestamp() for at, body in _lines(file, paths)]


async def _arrived(file: Path, paths: list[str], count: int) -> list[float]:
    async with asyncio.timeout(180):
        while len(found := [at for at, _ in _lines(file, paths)]) < count:
            await asyncio.sleep(0.2)
    return found


def _lines(file: Path, paths: list[str]) -> list[tuple[float, str]]:
    lines = (line.split("\t", 3) for line in file.read_text().splitlines())
    return [(float(line[0]), line[3]) for line in lines if line[1] in paths]


async def _received(marketer: Marketer) -> list[float]:
    """Seconds until each request of another platform was acknowledged, through the gateway."""
    vendor = VENDORS["standard"]
    form = {"provider": "standard", "secret": vendor.secrets["right"]}
    made = marketer.ask("POST", "/api/webhooks/connections", 201, json=form)
    seconds: list[float] = []

    async def lane(name: int, http: httpx.AsyncClient) -> None:
        for number in range(RECEIVED // 4):
            body = b'{"type": "bench", "data": "%d-%d"}' % (name, number)
            headers = vendor.sign(vendor.secrets["right"], body, time.time(), made["url"])
            started = time.perf_counter()
            answer = await http.post(made["url"], content=body, headers=headers)
            seconds.append(time.perf_counter() - started)
            if answer.status_code != 200:
                raise SystemExit(f"a webhook was not taken: {answer.status_code} {answer.text[:200]}")

    async with httpx.AsyncClient(timeout=30) as http:
        await asyncio.gather(*(lane(number, http) for number in range(4)))
    return seconds
