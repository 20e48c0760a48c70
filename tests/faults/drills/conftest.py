"""A probe app whose way to the store leads through a proxy."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.probe import PROBE, running
from faults.conftest import SEED
from faults.stage import proxies_of
from omnify_local.servers.toxiproxy import Proxy
from omnify_shared.platform import Platform
from omnify_shared.testing import Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import NewHome, NewSidecar


@dataclass
class Wire:
    """The building blocks of the probe app, and the proxy between its sidecar and the store."""

    app: Platform
    proxy: Proxy


@pytest.fixture
def store_proxy(
    backing: Backing, new_home: NewHome, new_sidecar: NewSidecar, set_name: str, tmp_path: Path
) -> Iterator[tuple[Sidecar, Proxy]]:
    """A sidecar of the probe and its store's proxy."""
    home = new_home(set_name, extra=[PROBE])
    with proxies_of(home, backing, tmp_path, SEED, "statestore.yaml") as proxies:
        if not proxies:
            pytest.skip("the store of this set is a file")
        [proxy] = proxies.values()
        yield new_sidecar(home, "probe"), proxy


@pytest.fixture
async def wire(store_proxy: tuple[Sidecar, Proxy]) -> AsyncIterator[Wire]:
    """The probe app, connected."""
    sidecar, proxy = store_proxy
    async with running(sidecar) as app:
        yield Wire(app, proxy)
