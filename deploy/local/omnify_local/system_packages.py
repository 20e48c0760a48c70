"""System packages that tests use: installed where that is allowed (Debian, root), named exactly where it is not."""

import os
import shutil
import subprocess
from collections.abc import Sequence

from omnify_local.errors import LocalError

# Program to look for, and the Debian package that brings it.
_NEEDED = {"chromium": "chromium", "java": "openjdk-17-jdk-headless", "mvn": "maven"}


def ensure() -> None:
    """Install what is missing; where we may not, print the command. LocalError when CI=true: nothing may be skipped."""
    missing = [package for program, package in _NEEDED.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        _install(missing)
        return
    advice = f"apt-get install {' '.join(missing)}" if shutil.which("apt-get") else f"install {', '.join(missing)}"
    message = f"tests that need {', '.join(missing)} cannot run; as root: {advice}"
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
