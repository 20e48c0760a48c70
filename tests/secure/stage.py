"""The locked-down platform of the tests: every service with an identity, an operator, a stranger, and recorders."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from omnify_local import paths
from omnify_local.contracts import services
from omnify_local.contracts.services import Service
from omnify_local.ports import LOOPBACK, answers, free_port
from omnify_local.processes import Process
from omnify_local.sentry import Sentry
from omnify_shared.access import OPERATOR
from omnify_shared.testing import Home, Platform, Sidecar
from omnify_shared.testing.backing import Backing

STRANGER = "stranger"
PEER = "onboarding"  # a name that the gateway's table knows and no service has yet


@dataclass
class Recorder:
    """The process of recorder.py and what it wrote down."""

    process: Process
    port: int
    file: Path

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What reached it."""
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []


def recorder(folder: Path, name: str, *topics: str) -> Recorder:
    """Starts one; the caller kills its process."""
    port, file = free_port(), folder / f"{name}.jsonl"
    command = [sys.executable, str(Path(__file__).with_name("recorder.py")), str(port), str(file), *topics]
    process = Process(f"recorder {name}", command, log=folder / "logs" / f"recorder-{name}.log")
    process.wait_until(lambda: answers(port), timeout=30)
    return Recorder(process, port, file)


@dataclass
class Stage:
    """`sidecars` by app-id, those of the services and the two others; `peer` and `monolith` write down what comes."""

    platform: Platform
    sentry: Sentry
    services: dict[str, Service]
    sidecars: dict[str, Sidecar]
    peer: Recorder
    monolith: Recorder

    @property
    def home(self) -> Home:
        return self.platform.home


def part_from_others(home: Home, suffix: str) -> None:
    """Consumer groups of its own where homes share a broker: by namespace they can't be kept apart, an identity has it.

    Each such home hears what happens on the others, and knows nothing of it.
    """
    for document in home.resources("pubsub.yaml"):
        if document["spec"]["type"] == "pubsub.kafka":
            home.set_metadata("pubsub", consumerGroup=f"{{appID}}-{suffix}")


def fail_fast(home: Home) -> None:
    """One try per call: a refusal is repeated otherwise."""
    for document in home.resources("resiliency.yaml"):
        document["spec"]["policies"]["retries"]["call"]["maxRetries"] = 0
        home.rewrite("resiliency.yaml", [document])


def declare_monolith(home: Home, port: int) -> None:
    """An HTTPEndpoint for the gateway: a server outside the platform."""
    endpoint = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "HTTPEndpoint",
        "metadata": {"name": "monolith"},
        "spec": {"version": "v1", "baseUrl": f"http://{LOOPBACK}:{port}"},
        "scopes": ["gateway"],
    }
    home.rewrite("monolith.yaml", [endpoint])


@contextmanager
def staged(home: Home, backing: Backing, sentry: Sentry) -> Iterator[Stage]:
    """Starts all of it and stops it again."""
    part_from_others(home, "locked")
    fail_fast(home)
    with ExitStack() as stack:
        monolith, peer = (recorder(home.path, name) for name in ("monolith", "peer"))
        stack.callback(monolith.process.kill)
        stack.callback(peer.process.kill)
        declare_monolith(home, monolith.port)
        platform = Platform(home, backing.mailbox, sentry=sentry)
        guests = {name: Sidecar(home, name, identity=sentry.identity(name)) for name in (OPERATOR, STRANGER)}
        guests[PEER] = Sidecar(home, PEER, app_port=peer.port, identity=sentry.identity(PEER), options=_open(home))
        known = {name: service.sidecar for name, service in platform.services.items()} | {PEER: guests[PEER]}
        home.find_peers({name: sidecar.ports.internal for name, sidecar in known.items()})
        for sidecar in guests.values():
            stack.callback(sidecar.kill)
            sidecar.launch()
        stack.callback(platform.inbox.close)
        stack.callback(platform.stop)
        platform.start(timeout=120)
        for sidecar in guests.values():
            sidecar.wait(120)
        guests.pop(PEER).wait_for_app(60)
        loaded = {one.name: one for one in services.load(paths.repository())}
        sidecars = {name: service.sidecar for name, service in platform.services.items()} | guests
        yield Stage(platform, sentry, loaded, sidecars, peer, monolith)


def _open(home: Home) -> tuple[str, ...]:
    """A Configuration over the guest's: everybody may call this one."""
    control = {"defaultAction": "allow", "trustDomain": "public", "policies": []}
    file = home.path / "open.yaml"
    file.write_text(yaml.safe_dump({"kind": "Configuration", "spec": {"accessControl": control}}))
    return (f"--config={file}",)
