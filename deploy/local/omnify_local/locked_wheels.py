"""Tools from PyPI that must not share our environment, each in one of its own, installed once per user from a lock."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from omnify_local import paths
from omnify_local.errors import LocalError
from omnify_local.go import locked

_LOCKS = Path(__file__).with_name("wheels")


def environment(name: str) -> Path:
    """Virtual environment with what `wheels/<name>.txt` locks; LocalError when it cannot be installed."""
    lock = _LOCKS / f"{name}.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = paths.cache() / name / digest
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _install(folder, lock)
    return folder


def _install(folder: Path, lock: Path) -> None:
    print(f"Installing {lock.stem} once for this user", flush=True)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(staged)], lock.stem)
    _run([*uv, "pip", "install", "--quiet", "--require-hashes", "-p", str(staged), "-r", str(lock)], lock.stem)
    staged.rename(folder)


def _run(command: list[str], what: str) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LocalError(f"{what} could not be installed: {reason}")
