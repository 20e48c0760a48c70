"""PostgreSQL: the store of the set `postgres-rabbitmq`, from the system's packages."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.servers.base import Server

USER, DATABASE = "omnify", "postgres"
_ACCOUNT = "postgres"
_DEBIAN = Path("/usr/lib/postgresql")


def program(name: str) -> str | None:
    """Path of one of PostgreSQL's programs: on PATH, or where Debian keeps the servers (the newest)."""
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


def _required(name: str) -> str:
    if found := program(name):
        return found
    raise LocalError(f"PostgreSQL is needed and there is no {name}: install it (Debian: apt-get install postgresql)")


class Postgres(Server):
    """One node with one superuser, `omnify`, who needs the password. Refuses root, so root lends it another account."""

    name = "PostgreSQL"
    start_timeout = 60

    def __init__(self, folder: Path, port: int, password: str) -> None:
        super().__init__(folder, port)
        self._password = password

    @property
    def url(self) -> str:
        """Connection string, password included."""
        return f"postgres://{USER}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}?sslmode=disable"

    @property
    def data(self) -> Path:
        """The cluster's folder, which belongs to the account that runs the server."""
        return self.folder / "data"

    def prepare(self) -> None:
        """See Server: the cluster is made once."""
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        secret = self.data.with_name("password")
        secret.touch(mode=0o600)
        secret.write_text(self._password)
        if os.geteuid() == 0:
            account = _account()
            for path in (self.data, secret):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._initialise(secret)
        secret.unlink()

    def _initialise(self, secret: Path) -> None:
        options = [f"--pgdata={self.data}", f"--username={USER}", f"--pwfile={secret}", "--auth=scram-sha-256"]
        command = [*_unprivileged(), _required("initdb"), *options, "--encoding=UTF8", "--no-locale", "--no-sync"]
        answer = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        if answer.returncode:
            raise LocalError(f"PostgreSQL's cluster could not be made: {answer.stderr.strip()[-400:]}")

    def command(self) -> list[str]:
        """See Server."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [*_unprivileged(), _required("postgres"), "-D", str(self.data), *options]

    def ready(self) -> bool:
        """See Server."""
        return postgres_answers(self.port)


def postgres_answers(port: int, host: str = LOOPBACK) -> bool:
    """True when a server there takes connections (it does not while it still recovers)."""
    command = [_required("pg_isready"), "--quiet", f"--host={host}", f"--port={port}", "--timeout=2"]
    return subprocess.run(command, check=False).returncode == 0


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_ACCOUNT)
    except KeyError:
        raise LocalError(f"PostgreSQL does not run as root and there is no account {_ACCOUNT!r} to run it as") from None


def _unprivileged() -> list[str]:
    """As root: run as the other account, which may pass through folders of ours that are closed to it."""
    if os.geteuid() != 0:
        return []
    account, capability = _account(), "+dac_override"
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return ["setpriv", *identity, f"--inh-caps={capability}", f"--ambient-caps={capability}"]
