"""The two programs, ready to run: their packages installed and their code compiled outside the checkout."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from omnify_local import golang, nodejs, paths
from omnify_local.processes import Process
from omnify_shared.testing import Sidecar

SOURCES = Path(__file__).parent
CONTRACTS = paths.repository() / "docs" / "contracts"
LANGUAGES = ("node", "go")
Line = dict[str, Any]


def built(language: str, folder: Path) -> tuple[str, ...]:
    """The command of a language's program; `folder` takes what is made on the way."""
    if language == "go":
        golang.run(SOURCES / "go", "build", "-trimpath", "-o", str(folder / "go-caller"), ".")
        return (str(folder / "go-caller"),)
    source = SOURCES / "node"
    for file in (*source.glob("*.mjs"), source / "package.json"):
        shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(nodejs.modules("node-caller", source))
    return (str(nodejs.program()), str(folder / "main.mjs"))


@dataclass
class Caller:
    """One of the programs beside its own sidecar."""

    command: tuple[str, ...]
    sidecar: Sidecar
    folder: Path
    process: Process | None = None

    @property
    def record(self) -> Path:
        """The program's file of what it received."""
        return self.folder / "received.jsonl"

    @property
    def received(self) -> list[Line]:
        """What it has received so far."""
        lines = self.record.read_text().splitlines(keepends=True) if self.record.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def events(self, *about: str) -> list[tuple[str, str]]:
        """Event type and subject of the received events, of these subjects."""
        return [(line["event"], line["subject"]) for line in self.received if line.get("subject") in about]

    def _environment(self) -> dict[str, str]:
        port = str(self.sidecar.app_port)
        return {**self.sidecar.app_environment, "APP_PORT": port, "OMNIFY_CONTRACTS": str(CONTRACTS)}

    def listen(self) -> None:
        """Start taking events."""
        log = self.folder / "events.log"
        command = [*self.command, "events", "--record", str(self.record)]
        self.process = Process(self.sidecar.app_id, command, log=log, env=self._environment())

    def stop(self) -> int | None:
        """Stop it in order; its exit status, None when it had to be killed."""
        assert self.process is not None
        self.process.terminate()
        status, self.process = self.process.exit_code, None
        return status

    def times_down(self) -> int:
        """How often its sidecar has noticed that it is away, and stopped its subscriptions."""
        return self.sidecar.log.read_text().count("App entered un-healthy status")

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def journey(self, email: str, password: str, orders: Path) -> "Journey":
        """Start the journey; its lines come from iterating."""
        command = [*self.command, "journey", "--email", email, "--orders", str(orders)]
        environment = {**os.environ, **self._environment(), "OMNIFY_PASSWORD": password}
        return Journey(command, environment)


class Journey:
    """A running journey: iterate for the lines of its output, `answer` what it asks for."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(command, env=environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe)

    def __iter__(self) -> Iterator[Line]:
        return (json.loads(line) for line in _open(self._child.stdout))

    def answer(self, text: str) -> None:
        """A line of input."""
        pipe = _open(self._child.stdin)
        pipe.write(f"{text}\n")
        pipe.flush()

    def end(self) -> tuple[int, str]:
        """Its exit status and what it said on standard error."""
        _, said = self._child.communicate(timeout=60)
        return self._child.returncode, said

    def kill(self) -> None:
        """End it if it still runs."""
        self._child.kill()
        self._child.communicate()


def _open(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
