"""A real daprd for one app, on pinned ports, that a test can stop, kill, suspend and start again."""

from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from omnify_local.daprd import Daprd, Identity, Tokens
from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK, free_port
from omnify_local.processes import Process
from omnify_shared.testing.controls import Controls
from omnify_shared.testing.home import Home


@dataclass(frozen=True)
class SidecarPorts:
    """Ports of one daprd; they stay the same over restarts."""

    http: int
    grpc: int
    internal: int
    metrics: int

    @classmethod
    def free(cls) -> "SidecarPorts":
        """Four ports below the ephemeral range."""
        return cls(free_port(), free_port(), free_port(), free_port())


class Sidecar(Controls):
    """daprd for `app_id` in `home`. `app_port` None means a sidecar without an app behind it.

    Nothing runs until `start()`, which returns when the sidecar's APIs and components are up; an app may come later.
    """

    stop_timeout = 15.0  # seconds

    def __init__(
        self,
        home: Home,
        app_id: str,
        *,
        app_port: int | None = None,
        ports: SidecarPorts | None = None,
        max_body_mib: int = 4,
        options: tuple[str, ...] = (),
        identity: Identity | None = None,
    ) -> None:
        self.home, self.app_id, self.app_port = home, app_id, app_port
        self.ports = ports or SidecarPorts.free()
        self.max_body_mib, self.options, self.identity = max_body_mib, options, identity
        self.tokens = identity.tokens if identity else Tokens(home.dapr_api_token, home.app_api_token)
        self.environment: dict[str, str] = {}  # added last at the next start
        self.process: Process | None = None

    @property
    def url(self) -> str:
        """Base address of the HTTP API."""
        return f"http://{LOOPBACK}:{self.ports.http}"

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the HTTP API asks for."""
        return {"dapr-api-token": self.tokens.api}

    @property
    def log(self) -> Path:
        """Log of daprd over all its starts."""
        return self.home.logs / f"{self.app_id}.daprd.log"

    @property
    def app_environment(self) -> dict[str, str]:
        """What the app beside this sidecar needs in its environment."""
        return {
            "DAPR_HTTP_PORT": str(self.ports.http),
            "DAPR_GRPC_PORT": str(self.ports.grpc),
            **self.tokens.environment,
            "APP_ID": self.app_id,
        }

    def start(self, timeout: float = 30) -> "Sidecar":
        """Start daprd and wait until it is ready; LocalError with the log's tail when it ends or takes too long."""
        self.launch()
        try:
            self.wait(timeout)
        except LocalError:
            self.kill()
            raise
        return self

    def launch(self) -> None:
        """Start daprd without waiting."""
        command = [*self._daprd.command(), *self.options]
        environment = self._daprd.environment(self.tokens) | self.environment
        self.process = Process(f"daprd of {self.app_id}", command, log=self.log, cwd=self.home.path, env=environment)

    def wait(self, timeout: float = 30) -> None:
        """Wait until it is ready; LocalError with the log's tail."""
        assert self.process is not None
        self.process.wait_until(self.ready, timeout=timeout)

    def ready(self) -> bool:
        """True when the APIs and components are up (`/v1.0/healthz/outbound`)."""
        return self._health("outbound")

    def serves_app(self) -> bool:
        """True when daprd also sees its app (`/v1.0/healthz`); subscriptions start right after."""
        return self._health("")

    def _health(self, scope: str) -> bool:
        try:
            # Without TLS: reading the CA bundle would cost most of a probe.
            answer = httpx.get(f"{self.url}/v1.0/healthz/{scope}".rstrip("/"), timeout=1, verify=False)
        except httpx.HTTPError:
            return False
        return answer.is_success

    def wait_for_app(self, timeout: float = 20) -> None:
        """Wait until daprd sees its app."""
        assert self.process is not None
        self.process.wait_until(self.serves_app, timeout=timeout, what="see its app")

    def __enter__(self) -> "Sidecar":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.terminate()

    @property
    def _daprd(self) -> Daprd:
        ports = self.ports
        return Daprd(
            self.app_id, ports.http, ports.grpc, ports.internal, ports.metrics, self.home.components,
            app_port=self.app_port, max_body_mib=self.max_body_mib, identity=self.identity,
            namespace=self.home.namespace,
        )  # fmt: skip
