"""System packages that tests use: installed where that is allowed (Debian, root), named exactly where it is not."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from omnify_local.errors import LocalError

# Program to look for, and the Debian package that brings it.
_KAFKA = {"java": "openjdk-17-jdk-headless", "mvn": "maven"}
_TESTS = {**_KAFKA, "chromium": "chromium"}
_BENCHMARKS = {**_KAFKA, "wrk": "wrk"}


def ensure() -> None:
    """What the tests need."""
    _ensure(_TESTS)


def ensure_for_benchmarks() -> None:
    """What `make bench` needs."""
    _ensure(_BENCHMARKS)


def _ensure(needed: Mapping[str, str]) -> None:
    """Install what is missing; where we may not, print the command. LocalError when CI=true: nothing may be skipped."""
    missing = [package for program, package in needed.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        _install(missing)
        return
    advice = f"apt-get install {' '.join(missing)}" if shutil.which("apt-get") else f"install {', '.join(missing)}"
    message = f"what needs {', '.join(missing)} cannot run; as root: {advice}"
    if os.environ.get("CI") == "true":
        raise LocalError(message)
    print(f"note: {message}", flush=True)


def _install(packages: Sequence[str]) -> None:
    print(f"installing {', '.join(packages)} (apt-get)", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        answer = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise LocalError(f"apt-get {' '.join(command)} failed: {answer.stderr.strip()[-300:]}")
