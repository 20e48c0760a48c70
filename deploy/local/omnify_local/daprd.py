"""One daprd as the locked-down profile and the tests start it: flags, environment, every listener on loopback."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omnify_local import gotuning, runfile, tools
from omnify_local.ports import LOOPBACK


@dataclass(frozen=True, repr=False)
class Tokens:
    """`api`: the app proves itself to its sidecar; `app`: the sidecar proves itself to its app."""

    api: str
    app: str

    @property
    def environment(self) -> dict[str, str]:
        """As both daprd and the app read them."""
        return {"DAPR_API_TOKEN": self.api, "APP_API_TOKEN": self.app}


@dataclass(frozen=True, repr=False)
class Identity:
    """Who a daprd is among the others, and its allow lists: `configurations` are laid over the set's own."""

    tokens: Tokens
    flags: Mapping[str, str]
    environment: Mapping[str, str]
    configurations: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Daprd:
    """One daprd. `app_port` None: no app stands behind it. `components` is the set's folder. `namespace` is that of the
    app: a component that names `{namespace}` is kept apart by it.

    Without an identity it speaks plain text with everybody.
    """

    app_id: str
    http: int
    grpc: int
    internal: int
    metrics: int
    components: Path
    app_port: int | None = None
    max_body_mib: int = 4
    identity: Identity | None = None
    namespace: str = "default"

    def command(self) -> list[str]:
        """Program and flags."""
        configurations = [self.components / "configuration.yaml"]
        flags = {
            "app-id": self.app_id,
            "resources-path": str(self.components),
            "dapr-listen-addresses": LOOPBACK,
            "dapr-http-port": str(self.http),
            "dapr-grpc-port": str(self.grpc),
            "dapr-internal-grpc-listen-address": LOOPBACK,
            "dapr-internal-grpc-port": str(self.internal),
            "metrics-listen-address": LOOPBACK,
            "metrics-port": str(self.metrics),
            "max-body-size": f"{self.max_body_mib}Mi",
            "app-health-check-path": "/health/live",
            "app-health-probe-interval": "1",
            "app-health-threshold": str(runfile.app_health_threshold(self.components)),
            "app-health-probe-timeout": "900",
        }
        if self.identity is not None:
            flags |= self.identity.flags
            configurations += self.identity.configurations
        command = [str(tools.dapr().daprd), *(f"--{name}={value}" for name, value in flags.items())]
        command += [f"--config={file}" for file in configurations]
        if self.app_port is not None:
            command += [f"--app-port={self.app_port}", "--enable-app-health-check"]
        return command

    def environment(self, tokens: Tokens) -> dict[str, str]:
        """What daprd reads from its environment."""
        given = {
            **tokens.environment,
            "DAPR_HOST_IP": LOOPBACK,
            "NAMESPACE": self.namespace,
            **gotuning.environment(),
        }
        return given | (dict(self.identity.environment) if self.identity is not None else {})
