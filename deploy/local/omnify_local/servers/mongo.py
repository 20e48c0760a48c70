"""The MongoDB wire protocol for the set `mongo-kafka`, spoken by SecantusDB.

SecantusDB is GPL-2.0: a development tool in an environment and a process of its own; nothing of ours imports it.
"""

import socket
import struct
from pathlib import Path

from omnify_local import locked_wheels
from omnify_local.ports import LOOPBACK
from omnify_local.servers.base import Server

_LAUNCHER = Path(__file__).with_name("secantus_launcher.py")
# {"ping": 1, "$db": "admin"} as BSON
_PING = b"\x1e\x00\x00\x00\x10ping\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"
_OP_MSG = 2013


def mongo_answers(port: int, host: str = LOOPBACK) -> bool:
    """True when a server there answers a ping of the wire protocol."""
    body = struct.pack("<IB", 0, 0) + _PING
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body)
            return len(connection.recv(16)) == 16
    except OSError:
        return False


class Mongo(Server):
    """One node, replica set `secantus`, data on disk (WiredTiger), cache of 256 MB."""

    name = "MongoDB"
    start_timeout = 30

    @property
    def url(self) -> str:
        """Connection string."""
        return f"mongodb://{LOOPBACK}:{self.port}/?replicaSet=secantus&directConnection=true"

    def command(self) -> list[str]:
        """See Server."""
        python = locked_wheels.environment("secantusdb") / "bin" / "python"
        options = {"host": LOOPBACK, "port": str(self.port), "cache-size": "256M", "log-level": "WARNING"}
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        return [str(python), str(_LAUNCHER), *words, "--storage-path", str(self.folder / "data")]

    def ready(self) -> bool:
        """See Server."""
        return mongo_answers(self.port)
