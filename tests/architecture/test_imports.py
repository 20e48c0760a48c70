"""Who may import what: services stand on omnify_shared alone, and infrastructure stays behind the sidecar."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import pytest

from architecture import repository
from omnify_functions.catalogue import FUNCTIONS

DRIVERS = {
    "aiokafka", "aiosqlite", "asyncpg", "confluent_kafka", "kafka", "motor", "pika", "psycopg", "psycopg2", "pymongo",
    "pymysql", "redis", "sqlalchemy", "sqlite3", "valkey",
}  # fmt: skip
STATE = {"StateStore", "Documents", "Claims", "Index"}
SERVICES = repository.services()


def _imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Modules that a file imports, with the names taken from each."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, tuple(alias.name for alias in node.names)


def _roots(path: Path) -> set[str]:
    return {module.partition(".")[0] for module, _ in _imports(path)}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_imports_no_driver_and_no_other_service(name: str) -> None:
    others = {f"omnify_{other}" for other in SERVICES if other != name} | {"omnify_local"}
    for path in repository.sources(f"services/{name}"):
        assert not _roots(path) & (DRIVERS | others), path


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_depends_on_no_driver_and_no_other_service(name: str) -> None:
    wanted = {
        item.partition("[")[0].strip(" <>=")
        for item in repository.project(f"services/{name}")["project"]["dependencies"]
    }
    others = {f"omnify-{other}" for other in SERVICES if other != name} | {"omnify-local"}
    assert not wanted & (DRIVERS | others)
    assert any(item.startswith("omnify-shared") for item in wanted)


def test_the_shared_package_knows_no_service_and_no_driver() -> None:
    services = {f"omnify_{name}" for name in SERVICES}
    for path in repository.sources("shared"):
        testing = "testing" in path.parts
        forbidden = DRIVERS | services | (set() if testing else {"omnify_local", "pytest", "httpx", "httpx2"})
        assert not _roots(path) & forbidden, path


def test_the_sidecar_sdk_is_used_by_the_adapter_only() -> None:
    shared = repository.ROOT / "shared" / "omnify_shared"
    for folder in ("shared", *(f"services/{name}" for name in SERVICES)):
        for path in repository.sources(folder):
            adapter = shared / "dapr" in path.parents or path in {shared / "state.py", shared / "events" / "routes.py"}
            assert adapter or "dapr" not in _roots(path), path


def test_the_functions_know_no_driver_no_service_and_not_the_sidecar_sdk() -> None:
    """A function's service is named in the catalogue and loaded at the first call; it is never imported by name."""
    services = {f"omnify_{name}" for name in SERVICES}
    for path in repository.sources("deploy/functions"):
        assert not _roots(path) & (DRIVERS | services | {"dapr", "grpc", "omnify_local"}), path


def test_a_function_is_of_a_service_that_there_is_and_serves_or_consumes() -> None:
    for function in FUNCTIONS.values():
        assert function.service in SERVICES
        assert bool(function.operations) != function.consumes
        folder = repository.ROOT / "deploy" / "functions" / function.name
        wanted = {"main.py", "lambda_function.py", "requirements.txt", "requirements-aws.txt"}
        assert wanted <= {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", SERVICES)
def test_only_the_store_decides_what_is_kept_where(name: str) -> None:
    for path in repository.sources(f"services/{name}"):
        if path.stem == "store" or path.parent.name == "store":
            continue
        made = {node.func.id for node in ast.walk(ast.parse(path.read_text())) if _is_plain_call(node)}
        assert not made & STATE, path


def _is_plain_call(node: ast.AST) -> TypeGuard[Any]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@pytest.mark.parametrize("folder", ["shared", "deploy", *(f"services/{name}" for name in SERVICES)])
def test_modules_and_functions_stay_small(folder: str) -> None:
    for path in repository.sources(folder):
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 40, f"{path}:{node.lineno} {node.name} has {length} lines"


def test_no_test_sets_the_clock_of_the_whole_process() -> None:
    """Setting `monotonic` through a module's `time` sets it for all in the event loop, servers of other tests too."""
    shared = re.compile(r"""setattr\(\s*(?:["'][\w.]+\.(?:asyncio|time)\.\w+["']|(?:asyncio|time), )""")
    tests = (path for folder in ("shared", "services", "deploy", "tests") for path in _tests(folder))
    assert [str(path) for path in tests if shared.search(path.read_text())] == []


def _tests(folder: str) -> Iterator[Path]:
    return (path for path in (repository.ROOT / folder).rglob("*.py") if "tests" in path.parts)
