"""Requirement locks without hosts: one for the whole workspace, one per service, one per function and cloud.

Exact versions and hashes; they install behind any mirror with uv or plain pip (`--require-hashes`). All take their
versions from the root's.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omnify_functions.catalogue import FUNCTIONS
from omnify_local.errors import LocalError

_NAME = "requirements.txt"
# Spelled in parts, because no file of the repository names such a host.
_HOSTS = tuple(".".join(parts) for parts in (
    ("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"), ("proxy", "golang"), ("repo", "maven"),
    ("repo1", "maven"), ("deb", "debian"), ("static", "crates"), ("index", "crates"),
))  # fmt: skip
_OPTIONS = ("--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet")
_TOOL_LOCKS = ("uv", "secantusdb", "nodejs", "golang")


@dataclass(frozen=True)
class _Lock:
    """`path` is made from `sources` (and options), with the versions of `constraint` when given."""

    path: Path
    sources: tuple[str, ...]
    options: tuple[str, ...] = ()
    constraint: Path | None = None


def _locks(root: Path) -> list[_Lock]:
    services = sorted(path.parent for path in root.glob("services/*/pyproject.toml"))
    members = [*services, root / "shared", root / "deploy" / "local", root / "deploy" / "functions"]
    everything = tuple(str(member / "pyproject.toml") for member in members)
    result = [_Lock(root / _NAME, everything, ("--all-extras", "--group", f"{root / 'pyproject.toml'}:dev"))]
    for service in services:
        result.append(_Lock(service / _NAME, (str(service / "pyproject.toml"),), (), root / _NAME))
    result.extend(_function_locks(root))
    wheels = root / "deploy" / "local" / "omnify_local" / "wheels"
    result.extend(_Lock(wheels / f"{name}.txt", (str(wheels / f"{name}.in"),)) for name in _TOOL_LOCKS)
    return result


def _function_locks(root: Path) -> Iterator[_Lock]:
    """What a function's service needs, and the cloud's adapter."""
    folder = root / "deploy" / "functions"
    for function in FUNCTIONS.values():
        sources = (str(root / "services" / function.service / "pyproject.toml"), str(folder / "pyproject.toml"))
        for cloud, name in (("google", _NAME), ("aws", "requirements-aws.txt")):
            yield _Lock(folder / function.name / name, sources, ("--extra", cloud), root / _NAME)


def _own_packages(root: Path) -> list[str]:
    names = []
    for path in [
        *root.glob("services/*/pyproject.toml"),
        *root.glob("shared/pyproject.toml"),
        *root.glob("deploy/*/pyproject.toml"),
    ]:
        names += re.findall(r'^name = "(omnify-\w+)"', path.read_text(), flags=re.MULTILINE)
    return names


def _compile(root: Path, lock: _Lock, output: Path, more: Sequence[str] = ()) -> None:
    """Resolve into `output`, keeping the versions that are in it already as far as they still fit."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *lock.sources, *lock.options, *_OPTIONS, *more]
    command += ["--python-version", "3.11", "--output-file", str(output)]
    command += [word for name in _own_packages(root) for word in ("--no-emit-package", name)]
    if lock.constraint is not None:
        command += ["--constraint", str(lock.constraint)]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LocalError(f"{lock.path.relative_to(root)} could not be resolved:\n{answer.stderr.strip()[-1500:]}")


def renew(root: Path, *, upgrade: bool = False) -> None:
    """Write every lock anew; versions stay where they still fit unless `upgrade`."""
    for lock in _locks(root):
        print(f"locking {lock.path.relative_to(root)}", flush=True)
        _compile(root, lock, lock.path, ["--upgrade"] if upgrade else [])


def check(root: Path) -> None:
    """LocalError when a lock is missing or stale, or when a committed file names a registry's host."""
    stale = [str(lock.path.relative_to(root)) for lock in _locks(root) if _stale(root, lock)]
    if stale:
        raise LocalError(f"stale: {', '.join(stale)}; run `make lock` and commit the result")
    if named := _files_naming_hosts(root):
        raise LocalError(f"these files name a package registry's host: {', '.join(named)}")


def _stale(root: Path, lock: _Lock) -> bool:
    if not lock.path.exists():
        return True
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / lock.path.name
        shutil.copy(lock.path, copy)
        _compile(root, lock, copy)
        return copy.read_text() != lock.path.read_text()


def _files_naming_hosts(root: Path) -> list[str]:
    pattern = "|".join(re.escape(host) for host in _HOSTS)
    answer = subprocess.run(["git", "grep", "-lE", pattern], cwd=root, capture_output=True, text=True, check=False)
    return answer.stdout.split()
