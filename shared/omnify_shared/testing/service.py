"""A service as it runs in production: uvicorn in a process of its own, beside its sidecar."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2 as httpx

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.processes import Process
from omnify_shared.testing.controls import Controls
from omnify_shared.testing.sidecar import Sidecar


class Service(Controls):
    """`factory` (`module:function`) served on the sidecar's app port; the sidecar may be up, down or absent."""

    stop_timeout = 20.0  # seconds

    def __init__(
        self, sidecar: Sidecar, factory: str | None = None, *, environment: Mapping[str, str] | None = None
    ) -> None:
        """Without `factory` it is `omnify_<app-id>.app:create_app`. `environment` is added last."""
        assert sidecar.app_port is not None, "the sidecar has to know the app's port"
        self.sidecar, self.port = sidecar, sidecar.app_port
        self.name = sidecar.app_id
        self.factory = factory or f"omnify_{sidecar.app_id}.app:create_app"
        self.environment = dict(environment or {})
        self.process: Process | None = None

    @property
    def url(self) -> str:
        """The service's own address."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """The token that a call from the sidecar carries."""
        return {"dapr-api-token": self.sidecar.tokens.app}

    @property
    def orders(self) -> Path:
        """Where it looks for the point to die at (see omnify_shared.faults)."""
        return self.sidecar.home.path / f"die-{self.name}"

    @property
    def log(self) -> Path:
        """Log over all starts."""
        return self.sidecar.home.logs / f"{self.name}.log"

    def launch(self) -> None:
        """Start the process without waiting."""
        options = ["--host", LOOPBACK, "--port", str(self.port), "--no-access-log", "--no-proxy-headers"]
        options += ["--timeout-graceful-shutdown", "10"]
        command = [sys.executable, "-m", "uvicorn", "--factory", self.factory, *options]
        told = {"OMNIFY_ENVIRONMENT": "test", "OMNIFY_FAULT_POINT": str(self.orders)}
        environment = {**told, **self.sidecar.app_environment, **self.environment}
        self.process = Process(self.name, command, log=self.log, cwd=self.sidecar.home.path, env=environment)

    def start(self, *, ready: bool = True, timeout: float = 40) -> "Service":
        """Start and wait until it is ready, or with `ready=False` until it is alive (its sidecar may be absent)."""
        self.launch()
        try:
            self.wait(ready=ready, timeout=timeout)
        except LocalError:
            self.kill()
            raise
        return self

    def die_at(self, point: str, *, passing: int = 1) -> None:
        """Have it kill itself when it comes to this point for the given time. It stays away until `start()`."""
        self.orders.write_text(f"{point} {passing}")

    def wait_for_death(self, timeout: float = 90) -> None:
        """Wait until it has died of `die_at`; LocalError when it does not come to the point."""
        assert self.process is not None
        deadline = time.monotonic() + timeout
        while self.process.running:
            if time.monotonic() > deadline:
                point = self.orders.read_text() if self.orders.exists() else "a point"
                raise LocalError(f"{self.name} did not come to {point} within {timeout:g} s")
            time.sleep(0.02)
        self.kill()

    def wait(self, *, ready: bool = True, timeout: float = 40) -> None:
        """Wait for readiness or liveness; LocalError with the log's tail."""
        assert self.process is not None
        self.process.wait_until(lambda: self.answers("ready" if ready else "live"), timeout=timeout)

    def answers(self, probe: str = "ready") -> bool:
        """True when `/health/<probe>` says yes."""
        try:
            # Without TLS: reading the CA bundle would cost most of a probe.
            return httpx.get(f"{self.url}/health/{probe}", timeout=2, verify=False).is_success
        except httpx.HTTPError:
            return False
