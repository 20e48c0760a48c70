"""The Dapr programs: an installed Dapr when there is a fitting one, else built once per user from the Go modules."""

import functools
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from omnify_local import go, paths

DAPR_VERSION = "1.18.2"
CLI_VERSION = "1.12.0"
TOXIPROXY_VERSION = "2.5.0"
_OLDEST = (1, 16)
_DURATION = "build-seconds"
_NAMES = ("daprd", "placement", "scheduler")


@dataclass(frozen=True)
class Dapr:
    """Paths of the programs; `installed` when they are those of `dapr init`."""

    daprd: Path
    placement: Path
    scheduler: Path
    cli: Path
    installed: bool


def _version(program: Path) -> tuple[int, ...] | None:
    """Version a program names, or None when it cannot be run or names none."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, found.groups())) if found else None


def _installed() -> Dapr | None:
    """A Dapr made by `dapr init`: the CLI on PATH and all programs in ~/.dapr/bin, of version 1.16 or newer."""
    cli, home = shutil.which("dapr"), Path.home()
    programs = {name: home / ".dapr" / "bin" / name for name in _NAMES}
    if cli is None or not all(os.access(program, os.X_OK) for program in programs.values()):
        return None
    version = _version(programs["daprd"])
    if version is None or version[:2] < _OLDEST:
        return None
    return Dapr(**programs, cli=Path(cli), installed=True)


def _cached(folder: Path) -> Dapr:
    programs = {name: folder / name for name in _NAMES}
    cli = shutil.which("dapr")
    return Dapr(**programs, cli=Path(cli) if cli else folder / "dapr", installed=False)


@functools.cache
def dapr() -> Dapr:
    """The programs to use, built first when this user has none yet. LocalError says what is missing."""
    if installed := _installed():
        return installed
    return _cached(_built())


def sentry() -> Path:
    """The certificate authority of the locked-down profile, which `dapr init` does not bring: built when need be."""
    installed = Path.home() / ".dapr" / "bin" / "sentry"
    if dapr().installed and os.access(installed, os.X_OK):
        return installed
    return _built() / "sentry"


def _built() -> Path:
    folder = paths.cache() / "dapr" / DAPR_VERSION
    otherwise = ", or install Dapr 1.16 or newer and run `dapr init`"
    go.build_once(folder, _complete, _build, what="Dapr", otherwise=otherwise)
    return folder


def build_seconds() -> float | None:
    """How long the build took when it was done for this user, None when none was needed or recorded."""
    record = paths.cache() / "dapr" / DAPR_VERSION / _DURATION
    return float(record.read_text()) if record.exists() else None


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in (*_NAMES, "sentry", "dapr"))


def _build(result: Path, scratch: Path) -> None:
    """Several GB in `scratch` become 0.4 GB in `result`."""
    print(f"Building Dapr {DAPR_VERSION} once for this user (5 to 15 minutes)", flush=True)
    started = time.monotonic()
    runtime = go.download("github.com/dapr/dapr", DAPR_VERSION, scratch)
    flags = f"-s -w -X github.com/dapr/dapr/pkg/buildinfo.version={DAPR_VERSION}"
    go.compile_program(runtime, result / "daprd", "./cmd/daprd", flags, scratch, tags="allcomponents")
    for name in ("placement", "scheduler", "sentry"):
        go.compile_program(runtime, result / name, f"./cmd/{name}", flags, scratch)
    cli = go.download("github.com/dapr/cli", CLI_VERSION, scratch)
    go.compile_program(cli, result / "dapr", ".", f"-s -w -X main.version={CLI_VERSION}", scratch)
    (result / _DURATION).write_text(f"{time.monotonic() - started:.0f}\n")


@functools.cache
def toxiproxy() -> Path:
    """The TCP proxy that the fault drills cut and slow down, built first when this user has none yet."""
    folder = paths.cache() / "toxiproxy" / TOXIPROXY_VERSION
    go.build_once(folder, lambda made: os.access(made / "toxiproxy", os.X_OK), _build_toxiproxy, what="toxiproxy")
    return folder / "toxiproxy"


def _build_toxiproxy(result: Path, scratch: Path) -> None:
    print(f"Building toxiproxy {TOXIPROXY_VERSION} once for this user (a minute)", flush=True)
    source = go.download("github.com/Shopify/toxiproxy/v2", TOXIPROXY_VERSION, scratch)
    go.compile_program(source, result / "toxiproxy", "./cmd/server", "-s -w", scratch)
