"""Child processes with a log file, stopped by process group, and gone when we are gone."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from omnify_local.errors import LocalError

_POLL = 0.05


class _Reaper:
    """The one helper of this process that ends our groups if we are killed (see reaper.py)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None

    def _start(self) -> subprocess.Popen[str]:
        script = str(Path(__file__).with_name("reaper.py"))
        return subprocess.Popen(
            [sys.executable, "-S", script], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    @staticmethod
    def _end(child: subprocess.Popen[str]) -> None:
        child.communicate()

    def tell(self, line: str) -> None:
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._child = self._start()
                atexit.register(self._end, self._child)
            pipe = self._child.stdin
            assert pipe is not None  # noqa: S101 - given by Popen above
            pipe.write(line + "\n")
            pipe.flush()


_reaper = _Reaper()


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log file, or a note that there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return f"(no log at {path})"


class Process:
    """A child in its own process group, its output in `log`. Signals go to the whole group."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`env` is added to ours. Raises LocalError when the program cannot be started."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            try:
                self._child = subprocess.Popen(
                    list(command),
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
            except OSError as error:
                raise LocalError(f"{name} could not be started: {error}") from error
        _reaper.tell(f"+{self.pid}")

    @property
    def pid(self) -> int:
        """Process id, which is the id of its group as well."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """True while the child itself lives."""
        return self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit status, negative for a signal, None while running."""
        return self._child.poll()

    def wait_until(self, ready: Callable[[], bool], *, timeout: float, what: str = "become ready") -> None:
        """Poll `ready` until it holds; LocalError with the log's tail when the child ends or `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise LocalError(self._story(f"ended with status {self.exit_code}"))
            if time.monotonic() > deadline:
                raise LocalError(self._story(f"did not {what} within {timeout:g} s"))
            time.sleep(_POLL)

    def _story(self, what: str) -> str:
        return f"{self.name} {what}; its log {self.log} ends:\n{tail(self.log)}"

    def signal(self, number: int) -> None:
        """Send a signal to the group; a group that is gone already is fine."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def suspend(self) -> None:
        """Stop the group's clock (SIGSTOP): it holds its connections and answers nothing."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended group go on."""
        self.signal(signal.SIGCONT)

    def terminate(self, timeout: float = 15) -> None:
        """Ask the group to end, wait, and kill what is left after `timeout` seconds."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End the group at once."""
        self.signal(signal.SIGKILL)
        self._child.wait(10)
        _reaper.tell(f"-{self.pid}")
