"""Ports on loopback: is one taken, and which are free for a test run.

Linux hands out ephemeral ports from 32768 on, so a pinned port below that range cannot be taken by an outgoing
connection between choosing and binding it.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"
_FIRST, _LAST, _BLOCK = 12000, 30000, 200


def is_free(port: int) -> bool:
    """True when nothing listens on `port` on loopback and we could bind it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(port: int, host: str = LOOPBACK, timeout: float = 0.5) -> bool:
    """True when a TCP connection to host:port is accepted within `timeout` seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


def _candidates() -> Iterator[int]:
    while True:
        yield from range(start := _own_block(), start + _BLOCK)


def _own_block() -> int:
    """The first port of a block that no other process of this user takes ports from, until this one ends."""
    folder = Path(tempfile.gettempdir()) / f"omnify-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for start in range(_FIRST, _LAST, _BLOCK):
        lock = os.open(folder / str(start), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return start  # the lock stays open, and so ours, until the process ends
    raise OSError(f"other test runs hold all ports between {_FIRST} and {_LAST}")


_next = _candidates()


def free_port() -> int:
    """A free port below the ephemeral range, which no process of this user gets a second time.

    Raises OSError when there is none left.
    """
    return next(port for port in _next if is_free(port))
