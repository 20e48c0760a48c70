"""clamd: the malware scanner of the files service, from Debian's package clamav-daemon.

Signatures are those that the machine keeps up to date (freshclam), if any, and one of our own by which tests and people
can see that files are scanned: it finds TEST_MARK. Nothing is downloaded.
"""

import shutil
import socket
from pathlib import Path

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.servers.base import Server

TEST_MARK = b"OMNIFY-STANDARD-SCANNER-TEST-FILE!"
SIGNATURE = "Omnify.Test.File"
SYSTEM = Path("/var/lib/clamav")
# Above what the service sends (100 MiB a file), so that nothing passes for having been too large.
_CONFIG = """
TCPSocket {port}
TCPAddr {host}
DatabaseDirectory {signatures}
TemporaryDirectory {temporary}
Foreground yes
MaxThreads 4
StreamMaxLength 110M
MaxFileSize 110M
MaxScanSize 400M
MaxRecursion 16
MaxFiles 10000
MaxScanTime 120000
AlertExceedsMax yes
"""


def clamd_answers(port: int, host: str = LOOPBACK) -> bool:
    """True when a clamd answers PING."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"zPING\0")
            return connection.recv(16).startswith(b"PONG")
    except OSError:
        return False


def program() -> str | None:
    """Where clamd is; None when it is not installed."""
    return shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin:/usr/local/sbin")


class Clamd(Server):
    """One clamd on loopback. `system` takes the machine's signatures, which need 1 GiB and half a minute to load."""

    name = "ClamAV"
    start_timeout = 180

    def __init__(self, folder: Path, port: int, *, system: bool = False) -> None:
        super().__init__(folder, port)
        self._system = system

    @property
    def url(self) -> str:
        """For FILES_CLAMD_URL."""
        return f"tcp://{LOOPBACK}:{self.port}"

    @property
    def knows_malware(self) -> bool:
        """Whether it has more than our own signature."""
        return self._system and any(SYSTEM.glob("*.c[lv]d"))

    def prepare(self) -> None:
        """See Server: the configuration and the signatures."""
        signatures, temporary = self.folder / "signatures", self.folder / "tmp"
        for place in (signatures, temporary):
            place.mkdir(exist_ok=True)
        (signatures / "omnify.ndb").write_text(f"{SIGNATURE}:0:*:{TEST_MARK.hex()}\n")
        for known in SYSTEM.glob("*.c[lv]d") if self._system else ():
            link = signatures / known.name
            link.unlink(missing_ok=True)
            link.symlink_to(known)
        config = _CONFIG.format(port=self.port, host=LOOPBACK, signatures=signatures, temporary=temporary)
        (self.folder / "clamd.conf").write_text(config.lstrip())

    def command(self) -> list[str]:
        """See Server."""
        found = program()
        if found is None:
            raise LocalError("no clamd: install ClamAV (Debian: apt-get install clamav-daemon)")
        return [found, "--config-file", str(self.folder / "clamd.conf")]

    def ready(self) -> bool:
        """See Server."""
        return clamd_answers(self.port)
