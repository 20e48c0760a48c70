"""A publisher in this process and the tally as a process of its own, each beside its sidecar."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from conformance.probe import running, settings_for
from faults.tally import Counted, Key, Tally, TallySettings
from omnify_local.ports import free_port
from omnify_shared.access import OPERATOR
from omnify_shared.dapr.sidecar import Sidecar as Connection
from omnify_shared.documents import Documents, Emit
from omnify_shared.platform import Platform
from omnify_shared.state import StateStore
from omnify_shared.testing import Home, Service, Sidecar

_PYTHONPATH = str(Path(__file__).parents[1])


@dataclass
class Pair:
    """`source` publishes, `tally` consumes."""

    source: Platform
    sidecar: Sidecar
    tally: Service

    @property
    def keys(self) -> Documents[Key]:
        """The publisher's aggregates, whose changes carry the events."""
        return Documents(self.source.state, "key", Key, outbox=self.source.outbox)

    async def count(self, key: str, **data: Any) -> str:
        """Publishes the next number of a key by way of its document; returns `key/number` once that is committed."""

        def change(known: Key, emit: Emit) -> Key:
            emit(Counted(key=key, number=known.last + 1, **data))
            return Key(last=known.last + 1)

        stored = await self.keys.upsert(key, initial=lambda: Key(last=0), change=change)
        return f"{key}/{stored.value.last}"

    async def tallies(self, keys: Iterable[str]) -> dict[str, list[int]]:
        """What the consumer has counted, read through its own sidecar."""
        async with state_of(self.tally.sidecar) as state:
            found = await Documents(state, "tally", Tally).get_many((key,) for key in keys)
        return {key[0]: tally.numbers for key, tally in found.items()}

    async def letters(self) -> list[dict[str, Any]]:
        """The consumer's dead letters."""
        items: list[dict[str, Any]] = (await self.call("GET", "/dead-letters?limit=200")).json()["items"]
        return items

    async def call(self, method: str, path: str) -> httpx.Response:
        """Calls the consumer as its sidecar hands on an operator's call."""
        headers = self.tally.headers | {"dapr-caller-app-id": OPERATOR}
        async with httpx.AsyncClient(base_url=self.tally.url, headers=headers, timeout=20) as client:
            return await client.request(method, path)


@asynccontextmanager
async def state_of(sidecar: Sidecar) -> AsyncIterator[StateStore]:
    """The state of an app as its sidecar gives it."""
    connection = Connection(settings_for(sidecar, TallySettings))
    watch = asyncio.create_task(connection.watch())
    try:
        await connection.wait_ready(30)
        yield StateStore(connection)
    finally:
        watch.cancel()
        await connection.close()


@asynccontextmanager
async def pair_in(home: Home, environment: Mapping[str, str] | None = None) -> AsyncIterator[Pair]:
    """Starts both in `home`, which has to admit SOURCE and TALLY."""
    sidecar = Sidecar(home, "probe")
    service = Service(
        Sidecar(home, "tally", app_port=free_port()),
        "faults.tally:create_app",
        environment={"PYTHONPATH": _PYTHONPATH, **(environment or {})},
    )
    try:
        sidecar.launch()
        service.sidecar.launch()
        service.launch()
        await asyncio.to_thread(sidecar.wait)
        await asyncio.to_thread(service.wait)
        await asyncio.to_thread(service.sidecar.wait_for_app)
        async with running(sidecar) as source:
            yield Pair(source, sidecar, service)
    finally:
        await asyncio.to_thread(service.terminate)
        await asyncio.to_thread(service.sidecar.terminate)
        await asyncio.to_thread(sidecar.terminate)
