"""Pytest plugin: component sets as a parameter, backing servers once per session, homes and sidecars per test.

Registered by the root conftest. `--set=local` (repeatable) limits the run to a set. A set that cannot run here is
skipped with the reason, and fails instead when CI=true.
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

import pytest

from omnify_local.errors import LocalError
from omnify_local.processes import tail
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.home import ExtraApp, Home
from omnify_shared.testing.sidecar import Sidecar

SETS = ("local", "mongo-kafka")
NewHome = Callable[..., Home]
NewSidecar = Callable[..., Sidecar]

_failed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --set."""
    group = parser.getgroup("omnify")
    group.addoption(
        "--set", action="append", choices=SETS, dest="sets", help="run on this component set only (repeatable)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `set_name` once per set."""
    if "set_name" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("sets") or list(SETS)
        metafunc.parametrize("set_name", chosen, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember failures, so that the fixtures can show logs."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(scope="session")
def backing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backing]:
    """The servers behind the sets, each started when a set first needs it and stopped at the end of the session."""
    servers = Backing(tmp_path_factory.mktemp("servers"))
    try:
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def new_home(backing: Backing, tmp_path: Path) -> NewHome:
    """`new_home(set_name, extra=[...])`: a home whose servers run, with data of its own."""
    count = iter(range(1000))

    def make(set_name: str, extra: Iterable[ExtraApp] = ()) -> Home:
        return make_home(backing, tmp_path / f"home{next(count)}", set_name, extra)

    return make


def make_home(backing: Backing, path: Path, set_name: str, extra: Iterable[ExtraApp] = ()) -> Home:
    """A home on the session's servers; skips the test (fails it in CI) when the set cannot run here."""
    try:
        return backing.home(path, set_name, extra)
    except LocalError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the set {set_name} cannot run here: {error}")


@pytest.fixture
def new_sidecar(request: pytest.FixtureRequest) -> Iterator[NewSidecar]:
    """`new_sidecar(home, app_id, ...)`: a started Sidecar, stopped after the test; a failure shows its log."""
    started: list[Sidecar] = []

    def make(home: Home, app_id: str, start: bool = True, **options: object) -> Sidecar:
        sidecar = Sidecar(home, app_id, **options)  # type: ignore[arg-type]  # checked by the class itself
        started.append(sidecar)
        return sidecar.start() if start else sidecar

    yield make
    for sidecar in started:
        sidecar.terminate()
        if request.node.stash.get(_failed, False):
            request.node.add_report_section("call", f"daprd of {sidecar.app_id}", tail(sidecar.log, 40))
