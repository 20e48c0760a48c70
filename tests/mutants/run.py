"""`make mutants`: how many small defects in the token, session, RBAC and tenancy rules the fast unit tests notice.

mutmut changes one thing at a time and runs the tests that come to it. It wants modules at the top of one folder, so the
packages and the tests are copied into `.omnify/mutants`; tests that need a sidecar are left out. Mutants that change
nothing that anybody could see stand in `equivalent.txt`, each with its reason, and are not counted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".omnify" / "mutants"
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
LEAST = 85.0  # per cent of each module's mutants
PACKAGES = {"omnify_shared": "shared", "omnify_auth": "services/auth"}
MODULES = (
    "omnify_auth.access",
    "omnify_auth.guard",
    "omnify_auth.refresh",
    "omnify_auth.role_book",
    "omnify_auth.rosters",
    "omnify_auth.system_roles",
    "omnify_auth.tokens",
    "omnify_shared.identity",
    "omnify_shared.jwks",
    "omnify_shared.permissions",
    "omnify_shared.revocations",
)
TESTS = (
    "services/auth/tests/test_rosters.py",
    "services/auth/tests/test_token_rules.py",
    "shared/tests/test_identity_rules.py",
    "shared/tests/test_permissions.py",
    "shared/tests/test_revocation_rules.py",
)
SURVIVED, NO_TESTS = 0, 33  # mutmut's codes; all others but None (not run) mean that a test noticed


def prepared() -> None:
    """A fresh copy of packages and tests, in the layout that mutmut takes."""
    shutil.rmtree(WORK, ignore_errors=True)
    for package, folder in PACKAGES.items():
        shutil.copytree(ROOT / folder / package, WORK / "src" / package, ignore=shutil.ignore_patterns("__pycache__"))
    (WORK / "tests").mkdir()
    for test in TESTS:
        shutil.copy(ROOT / test, WORK / "tests")
    mutated = json.dumps([f"src/{module.replace('.', '/')}.py" for module in MODULES])
    (WORK / "pyproject.toml").write_text(
        f"""[tool.mutmut]
source_paths = ["src"]
only_mutate = {mutated}
pytest_add_cli_args = {json.dumps(_without("cacheprovider", "xdist", "schemathesis", "logging"))}
pytest_add_cli_args_test_selection = ["tests"]
use_git_change_detection = false
track_dependencies = false
timeout_multiplier = 20.0
timeout_constant = 20.0
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "session"
asyncio_default_test_loop_scope = "session"
pythonpath = ["{ROOT / "tests"}"]
"""
    )


def _without(*plugins: str) -> list[str]:
    return [part for plugin in plugins for part in ("-p", f"no:{plugin}")]


def mutated(seconds: float, names: list[str]) -> None:
    """Runs mutmut on all mutants or those of these names, for so many seconds at most."""
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run(
        [mutmut, "run", "--max-children", str(os.cpu_count() or 2), *names], cwd=WORK, check=True, timeout=seconds
    )


def results() -> Iterator[tuple[str, str, int | None]]:
    """Module, mutant and how its tests ended."""
    for module in MODULES:
        meta = WORK / "mutants" / "src" / f"{module.replace('.', '/')}.py.meta"
        if meta.exists():
            for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
                yield module, name, code


def equivalents() -> dict[str, str]:
    """Mutants that nobody can tell from the original, and why."""
    lines = (line for line in EQUIVALENT.read_text().splitlines() if line and not line.startswith("#"))
    return {name.strip(): reason.strip() for name, _, reason in (line.partition(":") for line in lines)}


def report() -> bool:
    """Prints the score of each module; whether all are good enough."""
    known, counts, alive = equivalents(), Counter[tuple[str, str]](), []
    for module, name, code in results():
        if name in known:
            counts[module, "equivalent"] += 1
            if code != SURVIVED:
                print(f"{name}: listed as equivalent, and killed (or not run): take it out of {EQUIVALENT.name}")
                counts[module, "stale"] += 1
            continue
        noticed = code not in (SURVIVED, NO_TESTS, None)
        counts[module, "killed" if noticed else "alive"] += 1
        if not noticed:
            alive.append(name)
    print(f"{'module':<28} {'mutants':>8} {'killed':>7} {'equivalent':>10} {'score':>7}")
    good = True
    for module in (*MODULES, "all"):
        those = MODULES if module == "all" else (module,)
        killed, left, same = (sum(counts[one, what] for one in those) for what in ("killed", "alive", "equivalent"))
        score = 100 * killed / (killed + left) if killed + left else 100.0
        good = good and score >= LEAST and not any(counts[one, "stale"] for one in those)
        print(f"{module:<28} {killed + left:>8} {killed:>7} {same:>10} {score:>6.1f}%")
    print("alive:", *alive or ["none"], sep="\n  ")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=1800, help="the longest that it may take")
    parser.add_argument("--report", action="store_true", help="of the last run, without another one")
    parser.add_argument("names", nargs="*", help="only those mutants, such as 'omnify_shared.jwks*'")
    chosen = parser.parse_args()
    if not chosen.report:
        prepared()
        mutated(chosen.seconds, chosen.names)
    sys.exit(0 if report() else f"omnify: a module's tests notice less than {LEAST:g} % of its mutants")


if __name__ == "__main__":
    main()
