"""System packages that tests use: installed where that is allowed (Debian, root), named exactly where it is not."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omnify_local.errors import LocalError
from omnify_local.servers import clamd, postgres, rabbitmq

# Program to look for, and the Debian package that brings it.
_KAFKA = {"java": "openjdk-17-jdk-headless", "mvn": "maven"}
_MONITORING = {"prometheus": "prometheus", "promtool": "prometheus"}
_SERVERS = {"postgres": "postgresql", "rabbitmq-server": "rabbitmq-server"}
_SCANNER = {"clamd": "clamav-daemon"}
_TESTS = {**_KAFKA, **_MONITORING, **_SERVERS, **_SCANNER, "chromium": "chromium", "faketime": "faketime"}
_POLICY = Path("/usr/sbin/policy-rc.d")
_BENCHMARKS = {**_KAFKA, **_SCANNER, "wrk": "wrk"}


def ensure() -> None:
    """What the tests need."""
    _ensure(_TESTS)


def ensure_for_benchmarks() -> None:
    """What `make bench` needs."""
    _ensure(_BENCHMARKS)


def ensure_for_monitoring() -> None:
    """What `make monitor` needs."""
    _ensure(_MONITORING)


def _ensure(needed: Mapping[str, str]) -> None:
    """Install what is missing; where we may not, print the command. LocalError when CI=true: nothing may be skipped."""
    missing = sorted({package for program, package in needed.items() if not _found(program)})
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


def _found(program: str) -> bool:
    """True when it is on PATH or where Debian keeps it."""
    places = {
        "clamd": clamd.program,
        "postgres": lambda: postgres.program("postgres"),
        "rabbitmq-server": rabbitmq.program,
    }
    return places.get(program, lambda: shutil.which(program))() is not None


def _install(packages: Sequence[str]) -> None:
    print(f"installing {', '.join(packages)} (apt-get)", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_started():
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            answer = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
            if answer.returncode:
                raise LocalError(f"apt-get {' '.join(command)} failed: {answer.stderr.strip()[-300:]}")


@contextlib.contextmanager
def _no_service_started() -> Iterator[None]:
    """Debian starts a daemon as soon as it is installed unless this file says no (invoke-rc.d(8))."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
