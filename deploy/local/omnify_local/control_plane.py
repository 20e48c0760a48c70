"""Dapr's placement and scheduler on loopback, for machines where `dapr init` did not start them."""

from pathlib import Path

from omnify_local import tools
from omnify_local.ports import LOOPBACK, answers
from omnify_local.servers import Server

PLACEMENT_PORT, SCHEDULER_PORT = 50005, 50006
_PLACEMENT_HEALTH, _SCHEDULER_HEALTH, _ETCD_CLIENT, _ETCD_PEER = 3850, 3860, 3861, 3862


class Placement(Server):
    """Where actors and workflows live."""

    name = "placement"
    ports = (PLACEMENT_PORT, _PLACEMENT_HEALTH)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PLACEMENT_PORT)

    def command(self) -> list[str]:
        """See Server."""
        return [
            str(tools.dapr().placement),
            f"--listen-address={LOOPBACK}",
            f"--port={self.port}",
            f"--healthz-listen-address={LOOPBACK}",
            f"--healthz-port={_PLACEMENT_HEALTH}",
            "--enable-metrics=false",
        ]

    def ready(self) -> bool:
        """See Server."""
        return answers(self.port)


class Scheduler(Server):
    """Jobs and reminders, kept in an embedded etcd."""

    name = "scheduler"
    ports = (SCHEDULER_PORT, _SCHEDULER_HEALTH, _ETCD_CLIENT, _ETCD_PEER)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SCHEDULER_PORT)

    def command(self) -> list[str]:
        """See Server."""
        return [
            str(tools.dapr().scheduler),
            f"--listen-address={LOOPBACK}",
            f"--port={self.port}",
            f"--healthz-listen-address={LOOPBACK}",
            f"--healthz-port={_SCHEDULER_HEALTH}",
            "--enable-metrics=false",
            f"--etcd-data-dir={self.folder / 'data'}",
            f"--etcd-client-listen-address={LOOPBACK}",
            f"--etcd-client-port={_ETCD_CLIENT}",
            f"--etcd-initial-cluster=dapr-scheduler-server-0=http://{LOOPBACK}:{_ETCD_PEER}",
            f"--override-broadcast-host-port={LOOPBACK}:{self.port}",
        ]

    def ready(self) -> bool:
        """See Server."""
        return answers(self.port)
