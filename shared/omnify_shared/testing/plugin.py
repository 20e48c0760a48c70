"""Pytest plugin: component sets as a parameter, backing servers once per session, homes and sidecars per test.

Registered by the root conftest. `--set=local` (repeatable) limits the run to a set. A set that cannot run here is
skipped with the reason, and fails instead when CI=true.
"""

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnify_local import paths, runfile
from omnify_local.errors import LocalError
from omnify_local.processes import tail
from omnify_local.servers import Server
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.home import ExtraApp, Home
from omnify_shared.testing.platform import Platform
from omnify_shared.testing.sidecar import Sidecar

SETS = runfile.sets(paths.repository())
NewSidecar = Callable[..., Sidecar]

_failed = pytest.StashKey[bool]()
_homes = pytest.StashKey[list[Home]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --set."""
    group = parser.getgroup("omnify")
    group.addoption(
        "--set", action="append", choices=SETS, dest="sets", help="run on this component set only (repeatable)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs a set (`set_name`, `platform`) on the main sets, one of a guarantee on every set, and one
    that is marked `one_set` on the embedded set."""
    if "set_name" in metafunc.fixturenames:
        everywhere = metafunc.definition.get_closest_marker("guarantee")
        chosen = metafunc.config.getoption("sets") or (SETS if everywhere else runfile.MAIN_SETS)
        if metafunc.definition.get_closest_marker("one_set"):
            chosen = [name for name in chosen if name == runfile.DEFAULT_SET]
        metafunc.parametrize("set_name", chosen, indirect=True, scope="session")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in this hook too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With pytest-xdist and `--dist loadgroup`: what a set has in a top folder stays with one worker, as does a folder
    of other tests.

    Workers run servers and a platform of their own; tests of two workers on one set start them twice. And two tests
    that need the pinned ports of `make up` must not run at once.
    """
    for item in items:
        chosen = getattr(item, "callspec", None)
        top, folder = item.nodeid.split("/")[:2]
        set_name = chosen.params.get("set_name") if chosen else None
        item.add_marker(pytest.mark.xdist_group(f"{set_name} {top}" if set_name else f"{top}/{folder}"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """End the run when pytest-xdist did not take our groups: it appends `@group` to the name of each grouped test."""
    alone = [name for name in ids if "@" not in name.rpartition("]")[2]]
    if alone and node.config.getoption("dist") == "loadgroup":
        pytest.exit(f"pytest-xdist did not group {len(alone)} tests, {alone[0]} first", pytest.ExitCode.USAGE_ERROR)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After a failure, copy the logs of the homes in use to `.omnify/failures/`."""
    report = yield
    if report.failed:
        item.stash[_failed] = True
        _keep_logs(item)
    return report


def _keep_logs(item: pytest.Item) -> None:
    folder = paths.repository() / ".omnify" / "failures" / re.sub(r"[^\w.-]+", "_", item.nodeid)
    for home in [*item.stash.get(_homes, []), *item.config.stash.get(_homes, [])]:
        if home.logs.exists():
            shutil.copytree(home.logs, folder / home.path.parent.name, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def backing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backing]:
    """The servers behind the sets, each started when a set first needs it and stopped at the end of the session."""
    servers = Backing(tmp_path_factory.mktemp("servers"))
    try:
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def set_name(request: pytest.FixtureRequest) -> str:
    """Name of the component set that the test runs on."""
    return str(request.param)


@pytest.fixture
def broker(backing: Backing, set_name: str) -> Server:
    """The set's broker, for a test that stops it and starts it again; skipped when it is not ours to stop."""
    try:
        return backing.broker(set_name)
    except LocalError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def platform(
    pytestconfig: pytest.Config, backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str
) -> Iterator[Platform]:
    """All services on a set, started once per session; a test that breaks a part has to mend it."""
    home = make_home(backing, tmp_path_factory.mktemp("platform") / "home", set_name)
    pytestconfig.stash[_homes] = [home]
    running = Platform(home, backing.mailbox, backing.scanner).start(timeout=100)
    try:
        yield running
    finally:
        running.stop()
        running.inbox.close()


class NewHome:
    """`new_home(set_name, extra=[...])`: a home whose servers run, with data of its own."""

    def __init__(self, backing: Backing, folder: Path) -> None:
        self._backing, self._folder = backing, folder
        self.homes: list[Home] = []

    def __call__(self, set_name: str, extra: Iterable[ExtraApp] = ()) -> Home:
        home = make_home(self._backing, self._folder / f"home{len(self.homes)}", set_name, extra)
        self.homes.append(home)
        return home


@pytest.fixture
def new_home(request: pytest.FixtureRequest, backing: Backing, tmp_path: Path) -> NewHome:
    """Makes homes for one test."""
    maker = NewHome(backing, tmp_path)
    request.node.stash[_homes] = maker.homes
    return maker


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
        sidecar.kill()
        if request.node.stash.get(_failed, False):
            request.node.add_report_section("call", f"daprd of {sidecar.app_id}", tail(sidecar.log, 40))
