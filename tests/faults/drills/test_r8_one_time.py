"""R8: a crowd races for things that are there once; every history is one that a single machine could have given."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from faults.auth_races import AuthRaces, two_replicas
from faults.counter import COUNTER, counter_in
from faults.ledger import Drill
from faults.races import CounterRaces, PlatformRaces, Round
from faults.stage import Stage, proxies_of
from omnify_local.servers.toxiproxy import Proxy
from omnify_shared.testing import Home, Service
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home

pytestmark = pytest.mark.timeout(900)
Race = Callable[[], Awaitable[Round]]


async def run(drill: Drill, kinds: dict[str, tuple[Race, int]]) -> None:
    """Races so many rounds of each kind, in an order of chance."""
    order = [name for name, (_, count) in kinds.items() for _ in range(count)]
    drill.random.shuffle(order)
    calls = unknown = 0
    for number, name in enumerate(order):
        raced = await kinds[name][0]()
        drill.ledger.acknowledge(f"{name} {number}")
        explained = raced.history.explained(raced.model)
        if explained and not raced.wrong:
            drill.ledger.find(f"{name} {number}")
        drill.ledger.check(explained, f"{name} {number}: no one machine gives {answers(raced)}")
        drill.ledger.check(not raced.wrong, f"{name} {number}: {raced.wrong}")
        calls, unknown = calls + len(raced.history.calls), unknown + raced.history.unknown
    drill.ledger.note(rounds=len(order), calls=calls, unknown=unknown)


def answers(raced: Round) -> str:
    ordered = sorted(raced.history.calls, key=lambda call: call.invoked)
    return ", ".join(f"{call.asked}→{call.answer}" for call in ordered)[:400]


@pytest.mark.drill("R8", "32 clients race for things that are there once")
async def test_of_many_at_once_one_wins(drill: Drill, stage: Stage, backing: Backing, tmp_path: Path) -> None:
    platform = PlatformRaces(stage.platform.url, stage.platform.inbox, drill.random)
    home = await asyncio.to_thread(make_home, backing, tmp_path / "home", stage.set_name, [COUNTER])
    try:
        async with counters(home, drill.pick(1, 2)) as replicas:
            counter = CounterRaces(replicas)
            kinds: dict[str, tuple[Race, int]] = {
                "claims": (counter.claims, drill.pick(24, 400)),
                "keys": (counter.keys, drill.pick(16, 300)),
                "imports": (platform.imports, drill.pick(1, 30)),
            }
            await run(drill, kinds)
    finally:
        await platform.close()
    drill.settle()


@pytest.mark.timeout(1500)
@pytest.mark.drill("R8", "32 clients race for what two replicas of auth give once")
async def test_of_what_auth_gives_once_there_is_one(drill: Drill, stage: Stage) -> None:
    async with two_replicas(stage.platform) as replicas:
        races = AuthRaces(stage.platform.url, stage.platform.inbox, drill.random, replicas)
        kinds: dict[str, tuple[Race, int]] = {
            "refresh": (races.refresh, drill.pick(2, 200)),
            "totp": (races.totp, drill.pick(1, 200)),
            "activation": (races.activation, drill.pick(1, 150)),
            "ownership": (races.ownership, drill.pick(1, 150)),
            "address change": (races.address_change, drill.pick(1, 60)),
            "recovery code": (races.recovery_code, drill.pick(1, 60)),
            "verification": (races.verification, drill.pick(1, 40)),
            "registration": (races.registration, drill.pick(1, 30)),
            "invitation": (races.invitation, drill.pick(1, 30)),
            "reset link": (races.reset_link, drill.pick(1, 20)),
            "authorization code": (races.authorization_code, drill.pick(1, 60)),
        }
        try:
            await run(drill, kinds)
        finally:
            await races.close()
    drill.settle()


@pytest.mark.drill("R8", "32 clients race while the store is cut", short=False)
async def test_of_many_at_once_one_wins_though_the_store_is_cut(
    drill: Drill, backing: Backing, tmp_path: Path, set_name: str
) -> None:
    if set_name == "local":
        pytest.skip("the store of this set is a file")
    home = await asyncio.to_thread(make_home, backing, tmp_path / "home", set_name, [COUNTER])
    with proxies_of(home, backing, tmp_path, drill.seed, "statestore.yaml") as proxies:
        [store] = proxies.values()
        async with counters(home, 2) as replicas:
            counter = CounterRaces(replicas)
            kinds: dict[str, tuple[Race, int]] = {
                "claims": (cut(counter.claims, store, drill), 60),
                "keys": (cut(counter.keys, store, drill), 40),
            }
            await run(drill, kinds)
    drill.settle()


def cut(race: Race, store: Proxy, drill: Drill) -> Race:
    """The race, with the store's connections cut somewhere in the midst of it and let through again."""

    async def raced() -> Round:
        racing = asyncio.create_task(_raced(race))
        await asyncio.sleep(drill.random.uniform(0, 0.3))
        await asyncio.to_thread(store.cut)
        await asyncio.sleep(drill.random.uniform(0, 0.2))
        await asyncio.to_thread(store.heal)
        return await racing

    return raced


async def _raced(race: Race) -> Round:
    return await race()


@asynccontextmanager
async def counters(home: Home, count: int) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of so many replicas of the counter app, each beside its own sidecar."""
    services = [counter_in(home) for _ in range(count)]
    try:
        for service in services:
            service.launch()
            await asyncio.to_thread(service.sidecar.start)
            await asyncio.to_thread(service.wait, timeout=90)
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(client_of(service)) for service in services]
    finally:
        for service in services:
            await asyncio.to_thread(service.terminate)
            service.sidecar.kill()


def client_of(service: Service) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=service.url, headers=service.headers, timeout=60)
