"""The running platform: `dapr run` and what it started, watched and stopped."""

import contextlib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import httpx2 as httpx
import psutil

from omnify_local import control_plane, gotuning, tools
from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.processes import Process, tail
from omnify_local.runfile import App

LOGS = Path(".dapr") / "logs"
_GRACE = 12
_ENDED = ("process exited with error code", "Exited App successfully", "Exited Dapr successfully")


class Platform:
    """Apps and sidecars of one run file, started by the stock CLI."""

    def __init__(self, root: Path, run_file: Path, apps: Sequence[App], environment: dict[str, str]) -> None:
        self.root, self.apps = root, apps
        self._run_file, self._environment = run_file, environment
        self._cli: Process | None = None
        self._known: dict[str, psutil.Process] = {}
        self._started = 0.0

    def start(self) -> None:
        """Run the CLI; `wait_until_ready` says when everything is up."""
        programs = tools.dapr()
        environment = {
            "DAPR_RUNTIME_PATH": str(_loopback_runtime(self.root / ".omnify" / "runtime", programs.daprd)),
            # The CLI that can be built here does not hand the scheduler's address to daprd.
            "DAPR_SCHEDULER_HOST_ADDRESS_DNS_A": f"{LOOPBACK}:{control_plane.SCHEDULER_PORT}",
            "DAPR_HOST_IP": LOOPBACK,
            **gotuning.environment(),
            **self._environment,
        }
        command = [str(programs.cli), "run", "-f", str(self._run_file)]
        log = self.root / LOGS / "dapr-run.log"
        log.unlink(missing_ok=True)
        self._started = time.time() - 1
        self._cli = Process("dapr run", command, log=log, cwd=self.root, env=environment)

    def wait_until_ready(self, timeout: float) -> None:
        """Wait for every service and sidecar; LocalError names the first that failed and shows its log's end."""
        deadline = time.monotonic() + timeout
        waiting = self.not_ready()
        while waiting:
            self.check()
            if time.monotonic() > deadline:
                raise LocalError(f"not ready after {timeout:g} s: {', '.join(waiting)}; logs are in {self.root / LOGS}")
            time.sleep(0.2)
            waiting = self.not_ready()
        self.check()

    def not_ready(self) -> list[str]:
        """Who does not answer as ready yet."""
        with httpx.Client(timeout=2) as client:
            services = [app.app_id for app in self.apps if not _ok(client, f"{app.url}/health/ready")]
            sidecars = [app for app in self.apps if not _ok(client, f"{app.sidecar_url}/v1.0/healthz/outbound")]
        return services + [f"sidecar of {app.app_id}" for app in sidecars]

    def check(self) -> None:
        """Raise LocalError when the CLI or anything it had started has ended."""
        assert self._cli is not None  # noqa: S101 - started
        if not self._cli.running:
            raise LocalError(f"dapr run ended; its log {self._cli.log} ends:\n{tail(self._cli.log, 10)}")
        self._known |= self._processes()
        for name, process in self._known.items():
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                raise LocalError(self._story(name))
        for app in self.apps:
            # One that ended before we ever saw it: the CLI goes on, and says so in the log only.
            for name in (app.app_id, f"{app.app_id} sidecar"):
                if any(sign in tail(log, 3) for log in self._logs(name) for sign in _ENDED):
                    raise LocalError(self._story(name))

    def _logs(self, name: str) -> list[Path]:
        """The log of a service or sidecar since our start, in a list; empty while there is none."""
        app_id, _, kind = name.partition(" ")
        logs = sorted((self.root / LOGS).glob(f"{app_id}_{'daprd' if kind else 'app'}_*.log"))
        return [log for log in logs[-1:] if log.stat().st_mtime >= self._started]

    def _story(self, name: str) -> str:
        app_id, _, kind = name.partition(" ")
        end = "".join(f"; its log {log} ends:\n{tail(log, 12)}" for log in self._logs(name))
        return f"{'the sidecar of ' if kind else ''}{app_id} has ended{end}"

    def pids(self) -> dict[str, int]:
        """Process ids by name: `auth`, `auth sidecar`, …, and `dapr run`."""
        assert self._cli is not None  # noqa: S101 - started
        return {name: process.pid for name, process in self._processes().items()} | {"dapr run": self._cli.pid}

    def _processes(self) -> dict[str, psutil.Process]:
        assert self._cli is not None  # noqa: S101 - started
        found: dict[str, psutil.Process] = {}
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self._cli.pid).children():
                with contextlib.suppress(psutil.Error):
                    words = child.cmdline()
                    if name := self._name(words):
                        found[name] = child
        return found

    def _name(self, words: list[str]) -> str | None:
        for app in self.apps:
            if "--app-id" in words and app.app_id in words:
                return f"{app.app_id} sidecar"
            if any(word == f"omnify_{app.app_id}.app:create_app" for word in words):
                return app.app_id
        return None

    def stop(self) -> None:
        """Services first, so that they finish what they do while their sidecars live; then the CLI and its sidecars."""
        if self._cli is None:
            return
        services = [process for name, process in self._processes().items() if not name.endswith(" sidecar")]
        for process in services:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        psutil.wait_procs(services, timeout=_GRACE)
        # Before all apps are up the CLI is deaf to signals; its group is killed then.
        self._cli.terminate(6)
        self._cli = None


def _loopback_runtime(folder: Path, daprd: Path) -> Path:
    """A runtime path for the CLI whose daprd keeps to loopback: no key of the run file binds these two listeners."""
    script = folder / ".dapr" / "bin" / "daprd"
    script.parent.mkdir(parents=True, exist_ok=True)
    flags = f"--dapr-internal-grpc-listen-address={LOOPBACK} --metrics-listen-address={LOOPBACK}"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(daprd))} "$@" {flags}\n')
    script.chmod(0o755)
    return folder


def _ok(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).is_success
    except httpx.HTTPError:
        return False
