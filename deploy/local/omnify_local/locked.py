"""The running platform under the locked-down profile: services and sidecars started by us, with flags no CLI takes."""

from collections.abc import Sequence
from pathlib import Path

from omnify_local.daprd import Daprd, Identity
from omnify_local.errors import LocalError
from omnify_local.platform import LOGS, Platform
from omnify_local.processes import Process, tail
from omnify_local.runfile import App
from omnify_local.sentry import Sentry


class LockedPlatform(Platform):
    """Every sidecar with an identity of its own, and every app with tokens of its own that no file holds."""

    def __init__(
        self, root: Path, components: Path, apps: Sequence[App], sentry: Sentry, environment: dict[str, str]
    ) -> None:
        """`environment` is added to every service's and every sidecar's."""
        super().__init__(root, root / "dapr.yaml", apps, environment)
        self._components, self._sentry = components, sentry
        self._own: dict[str, Process] = {}

    def start(self) -> None:
        """Start everything side by side; sentry has to be up."""
        for app in self.apps:
            self._start(app, self._sentry.identity(app.app_id))

    def _start(self, app: App, identity: Identity) -> None:
        daprd = Daprd(
            app.app_id, app.http, app.grpc, app.internal, app.metrics, self._components,
            app_port=app.port, max_body_mib=app.max_body_mib, identity=identity,
        )  # fmt: skip
        service = {
            "APP_ID": app.app_id,
            "DAPR_HTTP_PORT": str(app.http),
            "DAPR_GRPC_PORT": str(app.grpc),
            "OMNIFY_ENVIRONMENT": "production",
        }
        self._run(f"{app.app_id} sidecar", daprd.command(), daprd.environment(identity.tokens))
        self._run(app.app_id, app.command, service | identity.tokens.environment)

    def _run(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        log = self.root / LOGS / f"{name.replace(' ', '_')}.log"
        log.unlink(missing_ok=True)
        self._own[name] = Process(name, command, log=log, cwd=self.root, env=self._environment | environment)

    def check(self) -> None:
        """Raise LocalError when anything has ended."""
        for name, process in self._own.items():
            if not process.running:
                raise LocalError(f"{name} has ended; its log {process.log} ends:\n{tail(process.log, 12)}")

    def pids(self) -> dict[str, int]:
        """Process ids by name: `auth`, `auth sidecar`, …"""
        return {name: process.pid for name, process in self._own.items()}

    def stop(self) -> None:
        """Services first, so that they finish what they do while their sidecars live."""
        for sidecars in (False, True):
            for name, process in self._own.items():
                if name.endswith(" sidecar") == sidecars:
                    process.terminate()
        self._own.clear()
