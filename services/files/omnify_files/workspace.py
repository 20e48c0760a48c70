"""Where a file lies while it is looked at: a folder on this machine's disk, which goes when that ends.

Whoever works in one holds a lock on it, which the system lets go when the process dies, however it dies: by that others
know what was left, and delete it.
"""

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

PREFIX: Final = "omnify-file-"
YOUNG: Final = 60.0  # seconds within which a folder may be one whose lock is still to be taken
LOOKS: Final = 300.0  # seconds

log = structlog.get_logger()


@contextmanager
def workspace() -> Iterator[Path]:
    """An empty folder that nobody else can read."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        lock = os.open(name, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(lock)


async def keep_tidy() -> None:
    """Runs for the life of the process: deletes what others on this machine left when they died."""
    while True:
        if left := await asyncio.to_thread(sweep):
            log.info("files of dead processes deleted", folders=left)
        await asyncio.sleep(LOOKS)


def sweep() -> int:
    """Deletes the folders that nobody works in; how many they were."""
    return sum(_swept(path) for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def _swept(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        known = os.fstat(lock)
        if known.st_uid != os.geteuid() or time.time() - known.st_mtime < YOUNG:
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(lock)
