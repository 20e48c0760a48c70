"""Growth curves: the same work at 1,000, 10,000 and 100,000, as a ratio to the smallest size."""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import httpx2 as httpx

from conformance.probe import CONSUMER, PROBE, ProbeSettings, ThingHappened, running, settings_for
from omnify_shared.dapr.sidecar import Sidecar as Connection
from omnify_shared.events import CloudEvent
from omnify_shared.ids import new_id
from omnify_shared.indexes import Entry, Index, _PageDocument
from omnify_shared.platform import Platform
from omnify_shared.state import StateStore
from omnify_shared.testing import Platform as Services
from omnify_shared.testing import Sidecar
from perf import load
from perf.blocks import Arrivals, consuming
from perf.measure import Row, in_turn
from perf.run import Run
from perf.services import CSV, Bench, synthetic_orders

SIZES = (1_000, 10_000, 100_000)
OVERVIEW = "/api/analytics/overview?from={start}&to=2023-12-31&granularity=month"
PARALLEL = 64
PAGE = 200  # entries, as Index has by itself


def curve(figure: str, sizes: Sequence[int], values: Sequence[float], unit: str, goal: str = "") -> list[Row]:
    """A row for each size but the first, against the first."""
    return [
        Row(f"{figure}: {size:,} / {sizes[0]:,}", value, values[0], unit, goal)
        for size, value in zip(sizes[1:], values[1:], strict=True)
    ]


def orders(bench: Bench, sizes: Sequence[int]) -> list[Row]:
    """The overview of organisations with that many orders, warm and for a range never asked before."""
    marketers = [bench.joined() for _ in sizes]
    for marketer, size in zip(marketers, sizes, strict=True):
        marketer.wait_for_import(marketer.start_import(synthetic_orders(size), CSV), 300)
    warm = [bench.get(marketer, OVERVIEW.format(start="2022-01-01")) for marketer in marketers]
    *sized, echo = load.rounds([*warm, bench.echo], connections=1, folder=bench.folder)
    rows = [Row(f"overview of {sizes[-1]:,} orders, warm, p50 / echo", sized[-1].p50, echo.p50, "ms", "<= 3")]
    rows += curve("overview, warm, p50, orders", sizes, [one.p50 for one in sized], "ms", "<= 1.3")
    return rows + curve("overview, new question, p50, orders", sizes, _new_questions(warm), "ms")


def _new_questions(targets: Sequence[load.Target]) -> list[float]:
    """Milliseconds of overviews that no memory holds, in turn."""
    times: list[list[float]] = [[] for _ in targets]
    with httpx.Client(timeout=30) as client:
        for day in range(1, 21):
            for kept, target in zip(times, targets, strict=True):
                url = target.url.replace("2022-01-01", f"2022-02-{day:02}")
                started = time.perf_counter()
                client.get(url, headers=dict(target.headers)).raise_for_status()
                kept.append((time.perf_counter() - started) * 1000)
    return [statistics.median(kept) for kept in times]


def users(run: Run, sizes: Sequence[int]) -> list[Row]:
    """`/me` and sign-ins with the fewest and with the most accounts in auth's store: two platforms, in turn."""
    with ExitStack() as stack:
        benches = [stack.enter_context(run.platform(f"users-{size}")) for size in (sizes[0], sizes[-1])]
        for bench, size in zip(benches, (sizes[0], sizes[-1]), strict=True):
            asyncio.run(_add_users(bench.platform, size))
        asked = [bench.get(bench.marketer, "/api/auth/me") for bench in benches]
        fewest, most = load.rounds(asked, connections=1, folder=run.folder)
        few, many = load.rounds([bench.sign_ins for bench in benches], connections=1, folder=run.folder, times=5)
    sizes = (sizes[0], sizes[-1])
    return [
        *curve("/me, p50, users", sizes, [fewest.p50, most.p50], "ms", "<= 1.3"),
        *curve("login, p50, users", sizes, [few.p50, many.p50], "ms", "<= 1.3"),
    ]


async def _add_users(platform: Services, count: int) -> None:
    """Fills auth's store with as many accounts: a user, an address and an organisation each."""
    connection = Connection(settings_for(platform.services["auth"].sidecar, ProbeSettings))
    watching = asyncio.create_task(connection.watch())
    await connection.wait_ready(10)
    state, filler = StateStore(connection), json.dumps({"filler": "x" * 400}).encode()
    for start in range(0, count, 200):
        ids = [new_id() for _ in range(min(200, count - start))]
        await state.put_many([(f"{kind}/{key}", filler) for key in ids for kind in ("user", "address", "organization")])
    watching.cancel()
    await connection.close()


async def lists(run: Run) -> list[Row]:
    """One entry added to a list of that many, and its first page read."""
    home = run.backing.home(run.folder / "lists", run.set_name, [PROBE])
    with Sidecar(home, "probe") as sidecar:
        async with running(sidecar) as probe:
            index = Index(probe.state, "growth", PAGE)
            for size in run.sizes:
                await _fill(index, f"of-{size}", size)
            adds = await in_turn([partial(_add, index, f"of-{size}") for size in run.sizes], 100)
            reads = await in_turn([partial(index.list, f"of-{size}") for size in run.sizes], 100)
    return [
        *curve("list: add, p50, entries", run.sizes, adds, "ms", "<= 1.3"),
        *curve("list: first page, p50, entries", run.sizes, reads, "ms", "<= 1.3"),
    ]


async def _add(index: Index, scope: str) -> None:
    await index.add(scope, new_id())


async def _fill(index: Index, scope: str, count: int) -> None:
    """Full pages as `count` additions leave them, each written once."""
    full = [_PageDocument(entries=[Entry(id=new_id()) for _ in range(PAGE)]) for _ in range(count // PAGE)]
    for number, page in enumerate(full):
        await index._pages.create(scope, str(number), value=page)
    await index._open(scope, len(full))


async def backlog(run: Run) -> list[Row]:
    """Events per second that a consumer with an inbox handles when that many wait for it."""
    rates = []
    for size in run.sizes:
        home = run.backing.home(run.folder / f"backlog-{size}", run.set_name, [PROBE, CONSUMER])
        arrivals = Arrivals()
        with Sidecar(home, "probe") as sidecar:
            async with running(sidecar) as platform:
                await _publish(platform, arrivals, size)
        async with consuming(home, arrivals, own=True):
            await arrivals.wait(60 + size / 20)
        handled = sorted(arrivals.handled[name] for name in arrivals.sent)
        rates.append((size - 1) / (handled[-1] - handled[0]))
    return curve("backlog handled per second, events", run.sizes, rates, "/s", ">= 0.8")


async def _publish(platform: Platform, arrivals: Arrivals, count: int) -> None:
    names = [new_id() for _ in range(count)]
    arrivals.sent.update(dict.fromkeys(names, 0.0))

    async def lane(part: Sequence[str]) -> None:
        for name in part:
            event = CloudEvent.of(ThingHappened(name=name), source="probe", subject=name, sequence=1)
            await platform.outbox.publish(event.wire())

    await asyncio.gather(*(lane(names[start::PARALLEL]) for start in range(PARALLEL)))
