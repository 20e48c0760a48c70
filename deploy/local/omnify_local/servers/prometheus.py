"""Prometheus, as Debian packages it, on the rules of deploy/monitoring."""

import shutil
from pathlib import Path

import httpx2 as httpx

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.servers.base import Server


class Prometheus(Server):
    """Scrapes what the configuration at `file` names; keeps a day of samples in `folder`."""

    name = "Prometheus"
    start_timeout = 60

    def __init__(self, folder: Path, port: int, file: Path) -> None:
        super().__init__(folder, port)
        self.file = file

    @property
    def url(self) -> str:
        """Address of its page and its API."""
        return f"http://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        """See Server."""
        program = shutil.which("prometheus")
        if program is None:
            raise LocalError("no prometheus: as root, apt-get install prometheus; or put its program on PATH")
        options = {
            "config.file": str(self.file),
            "storage.tsdb.path": str(self.folder / "data"),
            "storage.tsdb.retention.time": "1d",
            "web.listen-address": f"{LOOPBACK}:{self.port}",
        }
        return [program, *(f"--{name}={value}" for name, value in options.items())]

    def ready(self) -> bool:
        """See Server."""
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2).is_success
        except httpx.HTTPError:
            return False
