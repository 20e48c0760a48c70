"""Real sidecars, services and the whole platform for tests.

    from omnify_shared.testing import ExtraApp, Platform, Sidecar
    from omnify_shared.testing.plugin import NewHome, NewSidecar       # types of the fixtures

    def test_state(new_home: NewHome, new_sidecar: NewSidecar, set_name: str) -> None:      # once per component set
        home = new_home(set_name, extra=[ExtraApp("probe", publishes=("probe-events",), subscribes=("probe-events",))])
        sidecar = new_sidecar(home, "probe")                            # daprd is up with its components
        ...                                                             # sidecar.ports.grpc, .url, .headers

    def test_journey(platform: Platform) -> None:                       # started once per session and set
        httpx.post(f"{platform.url}/api/auth/register", json={...})
        platform.inbox.wait_for("a@example.com")
        platform.services["email"].kill()                               # start() brings it back on the same port
        platform.services["auth"].sidecar.suspend()

`new_sidecar(home, "probe", app_port=port)` serves an app; `Service(sidecar, "module:factory").start()` runs one.
`terminate()`, `kill()`, `suspend()`, `resume()` act on the process. A test that breaks the shared
platform has to mend it. Logs are under `home.logs`, and those of failed tests are kept in `.omnify/failures/`.
"""

from omnify_shared.testing.home import ExtraApp, Home
from omnify_shared.testing.peer import Peer
from omnify_shared.testing.platform import Platform
from omnify_shared.testing.service import Service
from omnify_shared.testing.sidecar import Sidecar, SidecarPorts

__all__ = ["ExtraApp", "Home", "Peer", "Platform", "Service", "Sidecar", "SidecarPorts"]
