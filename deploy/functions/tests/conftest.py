"""Functions of both clouds as real processes, remote sidecars behind TLS, auth beside them, and a mailbox."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from omnify_local import paths
from omnify_local.inbox import Inbox
from omnify_local.ports import LOOPBACK, answers, free_port
from omnify_local.processes import Process
from omnify_shared.testing import ExtraApp, Home, Service, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.controls import Controls
from omnify_shared.testing.plugin import make_home
from support import cloud_events
from support.aws_lambda import Lambda
from support.recorder import Recorder
from support.tls_front import TlsFront

JSON = dict[str, Any]
FOLDER = paths.repository() / "deploy" / "functions"
SERVICES = {"signup": "auth", "mail": "email", "files": "files", "webhooks": "webhooks"}
TOPICS = ["auth-events", "files-events", "webhooks-activity"]


class GoogleFunction(Controls):
    """A function served by functions-framework in a process of its own, started at the first request."""

    stop_timeout = 10.0

    def __init__(self, name: str, target: str, kind: str, log: Path, environment: dict[str, str]) -> None:
        self.source, self.target, self.kind, self.log = FOLDER / name / "main.py", target, kind, log
        self.environment = environment
        self.port = free_port()
        self.process: Process | None = None

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        if self.process is None or not self.process.running:
            self._start()
        return httpx.request(method, f"http://{LOOPBACK}:{self.port}{path}", timeout=90, verify=False, **options)

    def deliver(self, event: Any) -> httpx.Response:
        headers, body = cloud_events.pubsub(event)
        return self.ask("POST", "/", headers=headers, content=json.dumps(body).encode())

    def _start(self) -> None:
        options = {"target": self.target, "source": self.source, "signature-type": self.kind, "host": LOOPBACK}
        command = [sys.executable, "-m", "functions_framework", *(f"--{key}={value}" for key, value in options.items())]
        command.append(f"--port={self.port}")
        self.process = Process(self.target, command, log=self.log, env=self.environment)
        self.process.wait_until(lambda: answers(self.port), timeout=90)


class Stage:
    """A home with auth running, a remote sidecar per function's service, and what comes over TOPICS."""

    def __init__(self, home: Home, backing: Backing, stack: ExitStack) -> None:
        self.home, self._stack = home, stack
        self.mailbox, self.scanner = backing.mailbox, backing.scanner
        self.inbox = Inbox(self.mailbox.url)
        stack.callback(self.inbox.close)
        self.common = {
            "OMNIFY_PUBLIC_URL": "https://omnify.example",
            "OMNIFY_SMTP_URL": self.mailbox.smtp_url,
            "OMNIFY_ENVIRONMENT": "test",
        }
        self.auth = Service(Sidecar(home, "auth", app_port=free_port()), environment=self.common)
        self.sidecars = {name: Sidecar(home, service) for name, service in SERVICES.items()}
        home.find_peers({"auth": self.auth.sidecar.ports.internal})
        self.fronts: dict[str, TlsFront] = {}
        self._registered: set[str] = set()
        self.bridge = Recorder(home, "bridge", TOPICS, raw=True)

    def start(self) -> "Stage":
        self.auth.sidecar.launch()
        self.auth.launch()
        for name, sidecar in self.sidecars.items():
            sidecar.launch()
            self._stack.callback(sidecar.kill)
            ports = {"http": sidecar.ports.http, "grpc": sidecar.ports.grpc}
            self.fronts[name] = TlsFront(self.home.path / f"tls-{name}", ports)
            self._stack.callback(self.fronts[name].stop)
        self._stack.callback(self.auth.sidecar.kill)
        self._stack.callback(self.auth.kill)
        for sidecar in (self.auth.sidecar, *self.sidecars.values()):
            sidecar.wait(60)
        self.auth.wait(timeout=90)
        self._stack.enter_context(self.bridge)
        return self

    @contextmanager
    def serving(self, name: str) -> Iterator[Service]:
        """The service that a function is of, as people use it, for a while."""
        service = Service(Sidecar(self.home, name, app_port=free_port()), environment=self.common)
        try:
            service.sidecar.launch()
            service.launch()
            service.sidecar.wait(60)
            service.wait(timeout=90)
            yield service
        finally:
            service.terminate()
            service.sidecar.kill()

    def event_about(self, subject: str, verb: str) -> JSON:
        """The first event about a thing; waits for it."""
        found: list[JSON] = []

        def news() -> list[JSON]:
            found[:] = [one for one in list(self.bridge.events) if subject in (one["subject"], *one["data"].values())]
            found[:] = [one for one in found if one["type"].endswith(f".{verb}.v1")]
            return found

        self.until(news, 90)
        return found[0]

    def orders(self, name: str, cloud: str) -> Path:
        """Where a test says at which point a function is to die (omnify_shared.faults)."""
        return self.home.path / f"die-{name}-{cloud}"

    def aws(self, name: str, handler: str = "handler", **environment: str) -> Lambda:
        made = Lambda(
            FOLDER / name,
            f"lambda_function.{handler}",
            self.home.logs / f"{name}.{handler}.lambda.log",
            self._environment(name, "aws") | environment,
        )
        self._stack.callback(made.stop)
        return made

    def google(self, name: str, target: str, kind: str, **environment: str) -> GoogleFunction:
        log = self.home.logs / f"{name}.{target}.google.log"
        made = GoogleFunction(name, target, kind, log, self._environment(name, "google") | environment)
        self._stack.callback(made.kill)
        return made

    def _environment(self, name: str, cloud: str) -> dict[str, str]:
        return {
            **self.common,
            **self.fronts[name].environment,
            "DAPR_API_TOKEN": self.home.dapr_api_token,
            "APP_API_TOKEN": self.home.app_api_token,
            "OMNIFY_FAULT_POINT": str(self.orders(name, cloud)),
        }

    def events_about(self, event_type: str, seen: int = 0, seconds: float = 60) -> list[JSON]:
        """The events of a type that came after the first `seen`; waits for one."""
        deadline = time.monotonic() + seconds
        while True:
            found = [event for event in self.bridge.events if event["type"] == event_type][seen:]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def registered(self, seconds: float = 60) -> JSON:
        """The event of the registration that was not given before; it has to be one, even a moment later."""

        def news() -> dict[str, JSON]:
            kind = "omnify.auth.user.registered.v1"
            came = [one for one in list(self.bridge.events) if one["type"] == kind]
            return {one["id"]: one for one in came if one["id"] not in self._registered}

        self.until(news, seconds)
        time.sleep(0.3)
        [event] = news().values()
        self._registered.add(event["id"])
        return event

    @staticmethod
    def until(holds: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.05)

    def auth_says(self, path: str, body: JSON) -> httpx.Response:
        return httpx.post(self.auth.url + path, json=body, headers=self.auth.headers, timeout=30, verify=False)


@pytest.fixture(scope="session")
def stage(backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str) -> Iterator[Stage]:
    """The stage of one component set."""
    extra = [ExtraApp.consumer("bridge", TOPICS)]
    home = make_home(backing, tmp_path_factory.mktemp("functions") / "home", set_name, extra)
    with ExitStack() as stack:
        yield Stage(home, backing, stack).start()
