"""Programs built from Go modules, once per user, in throw-away caches."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from omnify_local.errors import LocalError
from omnify_local.processes import tail

OLDEST = (1, 26)
Build = Callable[[Path, Path], None]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock: two clones that build or download at once take turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build_once(folder: Path, complete: Callable[[Path], bool], build: Build, *, what: str, otherwise: str = "") -> None:
    """Fill `folder` by `build(result, scratch)` unless it is `complete`. `otherwise` is what to do without Go."""
    if complete(folder):
        return
    _require(what, otherwise)
    with locked(folder.parent / f".{folder.name}.lock"):
        if complete(folder):
            return
        with tempfile.TemporaryDirectory(prefix="omnify-go-", ignore_cleanup_errors=True) as name:
            scratch = Path(name)
            result = scratch / "result"
            result.mkdir()
            build(result, scratch)
            _put_in_place(result, folder)


def download(module: str, version: str, scratch: Path) -> Path:
    """The folder of a module's source; LocalError when there is none to be had."""
    print(f"  {module} {version}: download", flush=True)
    answer = subprocess.run(
        ["go", "mod", "download", "-json", f"{module}@v{version}"],
        cwd=scratch,
        env=_environment(scratch),
        capture_output=True,
        text=True,
        check=False,
    )
    described = json.loads(answer.stdout) if answer.stdout.startswith("{") else {}
    if answer.returncode or "Dir" not in described:
        reason = described.get("Error") or answer.stderr.strip().splitlines()[-1:]
        raise LocalError(f"{module} {version} could not be downloaded ({reason}): is the Go module proxy reachable?")
    return Path(described["Dir"])


def compile_program(source: Path, program: Path, package: str, flags: str, scratch: Path, tags: str = "") -> None:
    """Build one `package` of a module into `program`; LocalError with the log's last line."""
    command = ["go", "build", "-C", str(source), "-trimpath", "-ldflags", flags, "-tags", tags]
    command += ["-o", str(program), package]
    log = scratch / f"{program.name}.log"
    started = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(command, env=_environment(scratch), stdout=output, stderr=subprocess.STDOUT)
        try:
            _show_progress(child, program.name, started)
        finally:
            child.kill()
            child.wait()
    if child.returncode:
        kept = Path(tempfile.gettempdir()) / f"omnify-build-{program.name}.log"
        shutil.copy(log, kept)
        raise LocalError(f"{program.name} could not be built; log: {kept}, its last line: {tail(log, 1)}")


def _require(what: str, otherwise: str) -> None:
    program = shutil.which("go")
    hint = f"install Go {OLDEST[0]}.{OLDEST[1]} or newer{otherwise}"
    if program is None:
        raise LocalError(f"{what} has to be built and there is no Go: {hint}")
    answer = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    found = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    if found is None or tuple(map(int, found.groups())) < OLDEST:
        raise LocalError(f"{what} has to be built and this Go is too old ({answer.stdout.strip()}): {hint}")


def _put_in_place(result: Path, folder: Path) -> None:
    # The scratch folder may be on another file system, and only a rename within one is a single step.
    staged = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(result, staged)
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)


def _environment(scratch: Path) -> dict[str, str]:
    # Without -modcacherw the module cache is read-only and could not be thrown away.
    return {
        **os.environ,
        "GOMODCACHE": str(scratch / "modules"),
        "GOCACHE": str(scratch / "build"),
        "GOFLAGS": "-modcacherw -buildvcs=false",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }


def _show_progress(child: subprocess.Popen[bytes], name: str, started: float) -> None:
    """One line that grows on a terminal, one line every half minute elsewhere."""
    lively = sys.stdout.isatty()
    while True:
        try:
            child.wait(1 if lively else 30)
        except subprocess.TimeoutExpired:
            print(f"  {name}: {time.monotonic() - started:4.0f} s", end="\r" if lively else "\n", flush=True)
        else:
            print(f"  {name}: built in {time.monotonic() - started:.0f} s", flush=True)
            return
