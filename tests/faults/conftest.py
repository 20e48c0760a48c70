"""Drills: their size, their seed, which of them run, and the report at the end.

A drill is a test marked `@pytest.mark.drill("R3", "what it does")` that takes the fixture `drill` and ends in
`drill.settle()`. `make test` runs each at its short size on the reference set; `make faults` at its full size:
FAULTS_SCALE=full, FAULTS_SEED=<n>, FAULTS_ONLY=R3,R4. `short=False`, also as the mark of one
parameter (`pytest.param("x", marks=pytest.mark.drill(short=False))`), keeps a drill out of `make test`;
`alone=True` lets it run only when it is asked for by name.
"""

import os
import random
from collections.abc import Generator, Iterator

import pytest

from faults import report
from faults.ledger import Drill
from faults.stage import Stage, proxied_stage
from omnify_local import paths
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from support.sendgrid import give_webhook_key

REFERENCE_SET = "mongo-kafka"
FULL = os.environ.get("FAULTS_SCALE") == "full"
SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(1_000_000))
ONLY = frozenset(filter(None, os.environ.get("FAULTS_ONLY", "").upper().split(",")))

_drill = pytest.StashKey[Drill]()
_results = pytest.StashKey[list[report.Result]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the drills that were not asked for; the short ones run on the reference set unless --set is given."""
    left_out = [item for item in items if not _wanted(config, item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _wanted(config: pytest.Config, item: pytest.Item) -> bool:
    markers = list(item.iter_markers("drill"))
    if not markers:
        return True
    name = next(marker.args[0] for marker in markers if marker.args)
    alone = any(marker.kwargs.get("alone") for marker in markers)
    if (ONLY or alone) and name not in ONLY:
        return False
    if not FULL and not all(marker.kwargs.get("short", True) for marker in markers):
        return False
    return bool(config.getoption("sets")) or _set_of(item) == REFERENCE_SET


def _set_of(item: pytest.Item) -> str:
    called = getattr(item, "callspec", None)
    return str(called.params.get("set_name", REFERENCE_SET)) if called else REFERENCE_SET


@pytest.fixture
def drill(request: pytest.FixtureRequest) -> Drill:
    """This run of the drill."""
    name, title = next(marker.args for marker in request.node.iter_markers("drill") if marker.args)
    made = request.node.stash[_drill] = Drill(name, title, SEED, FULL, chances=request.node.name)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Enters a drill that ended into the books."""
    outcome = yield
    drill = item.stash.get(_drill, None)
    if drill is not None and (outcome.when == "call" or outcome.failed):
        item.config.stash.setdefault(_results, []).append(_result(item, drill, outcome, call))
    return outcome


def _result(item: pytest.Item, drill: Drill, outcome: pytest.TestReport, call: pytest.CallInfo[None]) -> report.Result:
    failures = list(drill.ledger.failures)
    if outcome.failed and not (drill.settled and failures):
        cause = call.excinfo.exconly() if call.excinfo else "no reason given"
        failures.append(f"did not finish ({outcome.when}): {cause[:300]}")
    about = {"drill": drill.name, "title": drill.title, "set": _set_of(item), "seconds": round(outcome.duration, 1)}
    return {**about, **drill.ledger.line(), "passed": outcome.passed, "failures": failures}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the ledgers with the seed that repeats them."""
    results = config.stash.get(_results, [])
    if not results:
        return
    scale = "full" if FULL else "short"
    terminalreporter.section(f"drills, {scale}, seed {SEED} (make faults SEED={SEED})")
    for line in report.table(results):
        terminalreporter.write_line(line)
    sets = ",".join(sorted({str(result["set"]) for result in results}))
    report.write(paths.repository() / ".omnify" / "faults.json", seed=SEED, scale=scale, set_name=sets, results=results)


@pytest.fixture(scope="session")
def stage(
    request: pytest.FixtureRequest, backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str
) -> Iterator[Stage]:
    """The whole platform to break. In a full run the store and the broker are behind proxies; the short one shares
    the platform of the other tests, without them."""
    if not FULL:
        yield Stage(request.getfixturevalue("platform"), backing, {})
        return
    folder = tmp_path_factory.mktemp("stage")
    home = make_home(backing, folder / "home", set_name)
    give_webhook_key(home)
    with proxied_stage(home, backing, folder, SEED) as made:
        yield made
