"""The gateway as a process beside a real sidecar, and strict stand-ins for the services behind theirs."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import pytest

from omnify_local.ports import LOOPBACK, free_port
from omnify_shared.testing import Home, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from omnify_shared.testing.service import Service

HERE = Path(__file__).parent


class Stage:
    """Starts services in one home, and stops them in the reverse order."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.stack = ExitStack()

    def stand_in(self, app_id: str) -> Service:
        """A strict stand-in for a service."""
        return self._started(app_id, "upstream:create_app", ready=False, PYTHONPATH=str(HERE))

    def gateway(self, **settings: str) -> Service:
        return self._started("gateway", None, ready=True, **settings)

    def _started(self, app_id: str, factory: str | None, *, ready: bool, **environment: str) -> Service:
        sidecar = Sidecar(self.home, app_id, app_port=free_port(), max_body_mib=64)
        service = Service(sidecar, factory, environment=environment)
        self.stack.callback(sidecar.terminate)
        self.stack.callback(service.terminate)
        sidecar.launch()
        service.launch()
        sidecar.wait()
        service.wait(ready=ready)
        sidecar.wait_for_app()
        return service


@pytest.fixture(scope="session")
def new_stage(backing: Backing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Stage]]:
    """`new_stage()`: a home of its own to start services in."""
    with ExitStack() as stack:

        def make() -> Stage:
            stage = Stage(make_home(backing, tmp_path_factory.mktemp("gateway") / "home", "local"))
            stack.callback(stage.stack.close)
            return stage

        yield make


@pytest.fixture(scope="session")
def services(new_stage: Callable[[], Stage]) -> Stage:
    """A home where `auth` and `analytics` are stand-ins and no other service is there."""
    stage = new_stage()
    stage.stand_in("auth")
    stage.stand_in("analytics")
    return stage


@pytest.fixture(scope="session")
def gateway(services: Stage) -> Service:
    return services.gateway(GATEWAY_MAX_SECONDS="3", GATEWAY_IDLE_TIMEOUT="2")


@pytest.fixture
def client(gateway: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client


@pytest.fixture
def raw(gateway: Service) -> Callable[[bytes], tuple[int, bytes]]:
    """Sends bytes as they are, for what no client library would send: the status and the whole answer."""

    def send(request: bytes) -> tuple[int, bytes]:
        with socket.create_connection((LOOPBACK, gateway.port), timeout=10) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return int(answer.split(b" ", 2)[1]), answer

    return send
