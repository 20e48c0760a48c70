"""Ports on loopback: is one taken, and which are free for a test run.

Linux hands out ephemeral ports from 32768 on, so a pinned port below that range cannot be taken by an outgoing
connection between choosing and binding it.
"""

import itertools
import os
import socket
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 12000, 30000


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
    # Two runs on one machine start at different places, so they seldom even probe the same port.
    start = _FIRST + (os.getpid() * 97) % (_LAST - _FIRST)
    return (_FIRST + (start - _FIRST + step) % (_LAST - _FIRST) for step in itertools.count())


_next = _candidates()


def free_port() -> int:
    """A free port below the ephemeral range; one process never gets the same port twice until it wrapped around."""
    for port in itertools.islice(_next, _LAST - _FIRST):
        if is_free(port):
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST}")
