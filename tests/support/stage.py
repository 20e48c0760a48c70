"""Apps as processes of their own, each beside a real sidecar, in one temporary home."""

import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from omnify_local.ports import LOOPBACK, answers, free_port
from omnify_local.processes import Process
from omnify_shared.testing import Home, Sidecar


@dataclass
class App:
    """One app process with its sidecar."""

    port: int
    process: Process
    sidecar: Sidecar
    restart: Callable[[], None]

    @property
    def url(self) -> str:
        """Where the app itself listens."""
        return f"http://{LOOPBACK}:{self.port}"


class Stage:
    """Starts processes, and stops them in the reverse order."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._stack = ExitStack()

    def app(self, app_id: str, factory: str, *options: str, body_mib: int = 4, **environment: str) -> App:
        """Runs a uvicorn app and a sidecar for it; returns when the sidecar sees the app."""
        port = free_port()
        sidecar = Sidecar(self.home, app_id, app_port=port, max_body_mib=body_mib)
        self._stack.callback(sidecar.terminate)
        command = [sys.executable, "-m", "uvicorn", factory, *options, "--host", LOOPBACK, "--port", str(port)]
        command += ["--no-access-log", "--no-proxy-headers"]

        def run() -> Process:
            return self.process(app_id, command, port, **sidecar.app_environment, **environment)

        def restart() -> None:
            app.process = run()

        app = App(port, run(), sidecar, restart)
        sidecar.start()
        sidecar.wait_for_app()
        return app

    def process(self, name: str, command: list[str], port: int, **environment: str) -> Process:
        """Runs any program that listens on `port`."""
        process = Process(name, command, log=self.home.logs / f"{name}.log", env=environment)
        self._stack.callback(process.terminate)
        process.wait_until(lambda: answers(port), timeout=30)
        return process

    def close(self) -> None:
        """Stops everything."""
        self._stack.close()


def raw_request(app: App, request: bytes) -> tuple[int, bytes]:
    """Sends bytes as they are, for what no client library would send. Returns the status and the whole answer."""
    with socket.create_connection((LOOPBACK, app.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer
