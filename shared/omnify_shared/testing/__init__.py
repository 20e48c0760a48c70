"""Real sidecars for tests.

    from omnify_shared.testing import ExtraApp, Home, Sidecar

    def test_state(new_home: Callable[..., Home]) -> None:           # fixtures come from omnify_shared.testing.plugin
        home = new_home("local", extra=[ExtraApp("probe", publishes=("probe-events",), subscribes=("probe-events",))])
        with Sidecar(home, "probe") as sidecar:                       # daprd is up with its components
            ...                                                       # sidecar.ports.grpc, sidecar.url, sidecar.headers

`Sidecar(home, "probe", app_port=port)` serves an app: start the app with `sidecar.app_environment`. `terminate()`,
`kill()`, `suspend()` and `resume()` act on the process, `start()` brings it back on the same ports. Logs: `home.logs`.
"""

from omnify_shared.testing.home import ExtraApp, Home
from omnify_shared.testing.sidecar import Sidecar, SidecarPorts

__all__ = ["ExtraApp", "Home", "Sidecar", "SidecarPorts"]
