"""The sidecars' own settings: stock ones against ours through two sidecars, in one run, round by round.

Stock is what `dapr run` starts with an empty Configuration: peers found by multicast DNS, Go's own garbage collection.
All variants have the same components, tokens and resiliency policies.
"""

import contextlib
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import psutil

from omnify_local.ports import free_port
from omnify_shared.testing import ExtraApp, Home, Service, Sidecar
from omnify_shared.testing.backing import Backing
from perf import load
from perf.load import Load, Target
from perf.measure import Row

ROUNDS = 7
SECONDS = 2
MANY = 32  # connections
GO_STOCK = {"GOGC": "100", "GOMEMLIMIT": "off"}
UNSAMPLED = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}  # as our services send it
SAMPLED = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


@dataclass(frozen=True)
class Variant:
    """A way to run sidecars: Go's variables, flags, request headers; `stock` takes an empty Configuration."""

    name: str
    go: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: UNSAMPLED)
    stock: bool = False
    names_by_file: bool = False


STOCK = Variant("stock", GO_STOCK, stock=True, headers={})
STOCK_BY_FILE = Variant("stock, names from SQLite", GO_STOCK, stock=True, headers={}, names_by_file=True)
OURS = Variant("ours")
CHANGED = (
    Variant("ours with names from SQLite", names_by_file=True),
    Variant("ours with Go's own collection", GO_STOCK),
    Variant("ours with every call sampled", headers=SAMPLED),
    Variant("ours without metrics", options=("--enable-metrics=false",)),
    Variant("ours on one thread (GOMAXPROCS=1)", {"GOMAXPROCS": "1"}),
)


@dataclass
class Pair:
    """A sidecar, and an echo behind its own; `rounds` are its loads, `used` the CPU of both sidecars per request."""

    variant: Variant
    target: Target
    processes: tuple[psutil.Process, ...]
    rounds: list[Load] = field(default_factory=list)
    used: list[float] = field(default_factory=list)

    def round(self, connections: int, folder: Path) -> None:
        """One bounded run; CPU in microseconds per request, over both sidecars."""
        before = self._processor_time()
        measured = load.run(self.target, connections=connections, seconds=SECONDS, folder=folder)
        self.rounds.append(measured)
        self.used.append((self._processor_time() - before) * 1e6 / (measured.rate * SECONDS))

    def _processor_time(self) -> float:
        times = [process.cpu_times() for process in self.processes]
        return sum(time.user + time.system for time in times)

    def answers(self) -> bool:
        """Whether the caller's sidecar finds the echo."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(self.target.url, headers=dict(self.target.headers), timeout=10).is_success
        return False


@contextmanager
def started(variant: Variant, backing: Backing, folder: Path) -> Iterator[Pair]:
    """The pair of a variant, running."""
    home = backing.home(folder / variant.name, "local", [ExtraApp("caller"), ExtraApp("echo")])
    echo = Sidecar(home, "echo", app_port=free_port(), options=variant.options)
    caller = Sidecar(home, "caller", options=variant.options)
    _configure(home, variant, echo)
    app = Service(echo, "perf.echo:create_app", environment={"PYTHONPATH": str(Path(__file__).parents[1])})
    with ExitStack() as stack:
        for part in (echo, caller, app):
            stack.callback(part.kill)
        with _environment(variant.go):
            caller.start()
            echo.start()
        app.start(ready=False)
        echo.wait_for_app()
        processes = tuple(psutil.Process(each.process.pid) for each in (caller, echo) if each.process)
        headers = {**caller.headers, "dapr-app-id": "echo", **variant.headers}
        yield Pair(variant, Target(f"{caller.url}/echo", headers), processes)


def _configure(home: Home, variant: Variant, echo: Sidecar) -> None:
    home.find_peers(None if variant.names_by_file else {"echo": echo.ports.internal})
    if variant.stock:
        document = home.resources("configuration.yaml")[0]
        names = {"nameResolution": document["spec"]["nameResolution"]} if variant.names_by_file else {}
        home.rewrite("configuration.yaml", [document | {"spec": names}])


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def rows(backing: Backing, folder: Path) -> list[Row]:
    """Ours against stock, then ours with one setting changed against ours."""
    with ExitStack() as stack:
        stock = stack.enter_context(started(STOCK, backing, folder))
        if not stock.answers():  # no multicast on this machine
            stock = stack.enter_context(started(STOCK_BY_FILE, backing, folder))
        ours, *changed = [stack.enter_context(started(each, backing, folder)) for each in (OURS, *CHANGED)]
        measure((stock, ours), 1, folder)
        found = [_p50(ours, stock, "p50 through two sidecars, 1 connection")]
        measure((stock, ours, *changed), MANY, folder)
        found += [
            _rate(ours, stock, f"throughput through two sidecars, {MANY} connections", ">= 1.3"),
            _p50(ours, stock, "p50, the same"),
            _used(ours, stock, "CPU of two sidecars per request"),
        ]
        for pair in changed:
            found += [_rate(pair, ours, "throughput"), _used(pair, ours, "CPU per request")]
        return found


def measure(pairs: Sequence[Pair], connections: int, folder: Path) -> None:
    """Rounds in turn, forth and back, so that a drift of the machine hits all alike. SystemExit on failed requests."""
    for pair in pairs:
        pair.rounds.clear()
        pair.used.clear()
        load.run(pair.target, connections=connections, seconds=1, folder=folder)
    for number in range(ROUNDS):
        for pair in pairs if number % 2 else reversed(pairs):
            pair.round(connections, folder)
    if any(one.errors for pair in pairs for one in pair.rounds):
        raise SystemExit("requests of a benchmark failed: its figures would mean nothing")


def _rate(pair: Pair, floor: Pair, what: str, goal: str = "") -> Row:
    return _row(pair, floor, what, [[one.rate for one in each.rounds] for each in (pair, floor)], "/s", goal)


def _p50(pair: Pair, floor: Pair, what: str) -> Row:
    return _row(pair, floor, what, [[one.p50 for one in each.rounds] for each in (pair, floor)], "ms")


def _used(pair: Pair, floor: Pair, what: str) -> Row:
    return _row(pair, floor, what, [pair.used, floor.used], "us")


def _row(pair: Pair, floor: Pair, what: str, series: Sequence[Sequence[float]], unit: str, goal: str = "") -> Row:
    ours, theirs = (statistics.median(values) for values in series)
    return Row(f"{what}: {pair.variant.name} / {floor.variant.name}", ours, theirs, unit, goal)
