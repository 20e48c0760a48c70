"""RabbitMQ: the broker of the set `postgres-rabbitmq`, from the system's packages."""

import base64
import hashlib
import json
import os
import shutil
import socket
from pathlib import Path
from urllib.parse import quote

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK
from omnify_local.servers.base import Server

USER = "omnify"
# Debian's command of the same name insists on running as an account of its own, in folders of its own.
_PROGRAMS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server")
_HEADER = b"AMQP\x00\x00\x09\x01"


def program() -> str | None:
    """Path of the server's start script, None without RabbitMQ."""
    return next((path for path in _PROGRAMS if os.access(path, os.X_OK)), None) or shutil.which("rabbitmq-server")


def rabbitmq_answers(port: int, host: str = LOOPBACK) -> bool:
    """True when a broker there begins the handshake of AMQP 0-9-1."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(_HEADER)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False


class RabbitMQ(Server):
    """One node without plugins. `hosts` virtual hosts share nothing; the first is `/`.

    Beside `port` it takes one for Erlang's distribution and one for its own port mapper (epmd), both on loopback; the
    mapper is in our process group, so it ends with the node.
    """

    name = "RabbitMQ"
    start_timeout = 120

    def __init__(self, folder: Path, port: int, ports: tuple[int, int], password: str, hosts: int = 1) -> None:
        """`ports` are those of the distribution and the port mapper."""
        super().__init__(folder, port)
        self._ports, self._password, self._hosts = ports, password, hosts

    def url(self, host: int = 0) -> str:
        """Address of a virtual host, password included."""
        return f"amqp://{USER}:{self._password}@{LOOPBACK}:{self.port}/{quote(_host(host), safe='')}"

    def prepare(self) -> None:
        """See Server: configuration, and the definitions that hold the password's hash."""
        if program() is None:
            raise LocalError("there is no RabbitMQ: install it (Debian: apt-get install rabbitmq-server)")
        (self.folder / "plugins").write_text("[].\n")
        definitions = self.folder / "definitions.json"
        definitions.touch(mode=0o600)
        definitions.write_text(json.dumps(self._definitions()))
        settings = {
            "listeners.tcp.1": f"{LOOPBACK}:{self.port}",
            "load_definitions": str(definitions),
            "log.console": "true",
            "log.console.level": "warning",
            "disk_free_limit.absolute": "64MB",
        }
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        (self.folder / "rabbitmq.conf").write_text(text)

    def command(self) -> list[str]:
        """See Server."""
        return ["sh", "-c", 'epmd & exec "$0"', str(program())]

    def environment(self) -> dict[str, str]:
        """See Server. Everything in the given folder, nothing of an installed RabbitMQ's configuration."""
        distribution, mapper = self._ports
        folder = str(self.folder)
        return {
            "HOME": folder,  # of Erlang's cookie
            "RABBITMQ_NODENAME": f"omnify-{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(mapper),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            # Idle schedulers of Erlang spin by default.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none",
        }

    def ready(self) -> bool:
        """See Server: the listener opens last."""
        return rabbitmq_answers(self.port)

    def _definitions(self) -> dict[str, object]:
        names = [_host(number) for number in range(self._hosts)]
        everything = {"user": USER, "configure": ".*", "write": ".*", "read": ".*"}
        user = {
            "name": USER,
            "password_hash": _hashed(self._password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"],
        }
        return {
            "users": [user],
            "vhosts": [{"name": name} for name in names],
            "permissions": [{"vhost": name, **everything} for name in names],
        }


def _host(number: int) -> str:
    return f"space-{number}" if number else "/"


def _hashed(password: str) -> str:
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
