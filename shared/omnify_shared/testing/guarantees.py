"""Pytest plugin: which test proves which guarantee, on which set, and what came out of it.

`@pytest.mark.guarantee("claims")` names one of `omnify_local.guarantees`; such a test runs on every set, except where
the set says that its servers cannot offer it. Results are kept in `.omnify/conformance.json`.
"""

import functools
import json
from collections import defaultdict

import pytest

from omnify_local import matrix, paths
from omnify_local.guarantees import GUARANTEES, not_offered

RESULTS = paths.repository() / matrix.RESULTS
_PROVES, _SET = "guarantee", "component set"
Results = dict[str, dict[str, dict[str, str]]]

_results: Results = defaultdict(lambda: defaultdict(dict))


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", "guarantee(name): what the test proves, on every component set")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Attach guarantee and set to what the test will report. UsageError for a name that is no guarantee."""
    for item in items:
        names = {mark.args[0] for mark in item.iter_markers("guarantee")}
        if unknown := names - GUARANTEES.keys():
            raise pytest.UsageError(f"{item.nodeid}: no such guarantee: {', '.join(sorted(unknown))}")
        set_name = _set_of(item)
        if names and set_name:
            item.user_properties += [(_PROVES, name) for name in sorted(names)] + [(_SET, set_name)]


def _set_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("set_name") if callspec else None


@functools.cache
def _missing(set_name: str) -> frozenset[str]:
    return not_offered(paths.repository() / "components" / set_name)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the set does not offer."""
    properties = dict(item.user_properties)
    names = {str(value) for key, value in item.user_properties if key == _PROVES}
    if missing := names & _missing(str(properties[_SET])) if _SET in properties else None:
        pytest.skip(f"not offered by the set {properties[_SET]}: {', '.join(sorted(missing))}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test went; its call, or what kept it from being called."""
    properties = dict(report.user_properties)
    if _SET not in properties or (report.when != "call" and report.outcome == "passed"):
        return
    not_there = report.skipped and "not offered by the set" in str(report.longrepr)
    for key, value in report.user_properties:
        if key == _PROVES:
            outcome = "not offered" if not_there else report.outcome
            # pytest-xdist adds the group, whose name begins with the set's.
            test = report.nodeid.partition(f"@{properties[_SET]}")[0]
            _results[str(properties[_SET])][str(value)][test] = outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep the results, beside those of earlier runs of other tests."""
    if not _results or hasattr(session.config, "workerinput"):
        return
    kept: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for set_name, guarantees in _results.items():
        for name, outcomes in guarantees.items():
            kept.setdefault(set_name, {}).setdefault(name, {}).update(outcomes)
    RESULTS.parent.mkdir(mode=0o700, exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
