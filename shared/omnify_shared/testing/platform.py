"""The whole platform on a component set: every service with its sidecar, and a mailbox."""

import json
from collections.abc import Iterable, Mapping

from omnify_local import paths, runfile
from omnify_local.inbox import Inbox
from omnify_local.ports import LOOPBACK, free_port
from omnify_local.sentry import Sentry
from omnify_local.servers import Mailbox
from omnify_shared.testing.home import Home
from omnify_shared.testing.service import Service
from omnify_shared.testing.sidecar import Sidecar

_OFTEN = {"AUTH_SESSIONS_PER_USER": "500"}  # in tests few people sign in often, and none of it may be lost


class Platform:
    """`services["auth"]` and its `sidecar` can be stopped, killed, suspended and started again one by one.

    `url` is the gateway, `passkey_origin` the same by a name that passkeys can be bound to, `inbox` reads the mails.
    Ports stay the same over restarts.
    """

    def __init__(
        self, home: Home, mailbox: Mailbox, environment: Mapping[str, str] | None = None, sentry: Sentry | None = None
    ) -> None:
        """`environment` is added to every service's. With a sentry (which runs) it is the locked-down profile."""
        self.home, self.mailbox = home, mailbox
        self.inbox = Inbox(mailbox.url)
        ports = {app.app_id: free_port() for app in runfile.apps(paths.repository())}
        self.url = f"http://{LOOPBACK}:{ports['gateway']}"
        self.passkey_origin = f"http://localhost:{ports['gateway']}"
        # Where webhooks may go in tests; nothing listens there but what a test starts.
        self.receiver_port = free_port()
        receivers = {} if sentry else {"WEBHOOKS_EXEMPT_TARGETS": json.dumps([f"{LOOPBACK}:{self.receiver_port}"])}
        common = {
            **receivers,
            "OMNIFY_PUBLIC_URL": self.url,
            "OMNIFY_SMTP_URL": mailbox.smtp_url,
            "AUTH_PASSKEY_ORIGINS": json.dumps([self.passkey_origin]),
            **_OFTEN,
            **(environment or {}),
        }
        self.services = {
            app.app_id: Service(
                Sidecar(
                    home,
                    app.app_id,
                    app_port=ports[app.app_id],
                    max_body_mib=app.max_body_mib,
                    identity=sentry.identity(app.app_id) if sentry else None,
                ),
                environment=common,
            )
            for app in runfile.apps(paths.repository())
        }
        home.find_peers({name: service.sidecar.ports.internal for name, service in self.services.items()})

    def start(self, timeout: float = 60) -> "Platform":
        """Start everything side by side and wait until each service is ready and seen by its sidecar."""
        try:
            for service in self.services.values():
                service.sidecar.launch()
                service.launch()
            self.wait(timeout)
        except BaseException:
            self.stop()
            raise
        return self

    def wait(self, timeout: float = 60, only: Iterable[str] | None = None) -> None:
        """Wait until all (or some) services are ready and their sidecars deliver to them."""
        for name in only or self.services:
            service = self.services[name]
            service.sidecar.wait(timeout)
            service.wait(timeout=timeout)
            service.sidecar.wait_for_app(timeout)

    def stop(self) -> None:
        """Stop services in order, then their sidecars at once; the home's data stays."""
        for service in self.services.values():
            service.terminate()
        for service in self.services.values():
            service.sidecar.kill()
