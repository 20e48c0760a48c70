"""Fixtures: the lab app without a sidecar, and with a real one that lasts for the session."""

from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from omnify_local.ports import free_port
from omnify_shared.testing import Home
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from support.lab import LAB, Lab, LabSettings, create_app, lab_on, serving
from support.tokens import Signer


@pytest.fixture(scope="session")
def home(backing: Backing, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(backing, tmp_path_factory.mktemp("lab") / "home", "local", [LAB])


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
async def lab(home: Home, signer: Signer) -> AsyncIterator[Lab]:
    """The lab app beside a real sidecar; it takes tokens of `signer`."""
    async with lab_on(home, keys=lambda _: signer.source) as lab:
        yield lab


@pytest.fixture(scope="session")
async def alone(signer: Signer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the lab app without any sidecar and without an app token."""
    settings = LabSettings(environment="test", dapr_http_port=free_port(), dapr_grpc_port=free_port())
    async with serving(create_app(settings, keys=lambda _: signer.source), free_port()) as client:
        yield client
