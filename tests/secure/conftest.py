"""One locked-down platform per component set, shared by every test here."""

from collections.abc import Iterator

import pytest

from omnify_local.ports import free_port
from omnify_local.sentry import Sentry
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from secure.stage import Stage, staged


@pytest.fixture(scope="session")
def sentry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentry]:
    """The authority."""
    running = Sentry(tmp_path_factory.mktemp("sentry") / "sentry", free_port(), free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="package")
def stage(backing: Backing, sentry: Sentry, tmp_path_factory: pytest.TempPathFactory, set_name: str) -> Iterator[Stage]:
    """The platform, on one set after the other."""
    home = make_home(backing, tmp_path_factory.mktemp("secure") / "home", set_name)
    with staged(home, backing, sentry) as running:
        yield running
