"""The gateway as a process beside a real sidecar, and strict stand-ins for the services behind theirs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import pytest

from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from support.stage import App, Stage, raw_request

UPSTREAM = ("upstream:app", "--app-dir", str(Path(__file__).parent))
GATEWAY = ("omnify_gateway.app:create_app", "--factory")


@pytest.fixture(scope="session")
def new_stage(backing: Backing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Stage]]:
    """`new_stage()`: a home of its own to start apps in."""
    with ExitStack() as stack:

        def make() -> Stage:
            stage = Stage(make_home(backing, tmp_path_factory.mktemp("gateway") / "home", "local"))
            stack.callback(stage.close)
            return stage

        yield make


@pytest.fixture(scope="session")
def services(new_stage: Callable[[], Stage]) -> Stage:
    """A home where `auth` and `analytics` are stand-ins and no other service is there."""
    stage = new_stage()
    stage.app("auth", *UPSTREAM)
    stage.app("analytics", *UPSTREAM, body_mib=64)
    return stage


@pytest.fixture(scope="session")
def gateway(services: Stage) -> App:
    limits = {"GATEWAY_MAX_SECONDS": "3", "GATEWAY_IDLE_TIMEOUT": "2"}
    return services.app("gateway", *GATEWAY, body_mib=64, OMNIFY_ENVIRONMENT="test", **limits)


@pytest.fixture
def client(gateway: App) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client


@pytest.fixture
def raw(gateway: App) -> Callable[[bytes], tuple[int, bytes]]:
    return lambda request: raw_request(gateway, request)
