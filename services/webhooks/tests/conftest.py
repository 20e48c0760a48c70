"""The webhooks service as a process beside a real sidecar, a stand-in for auth's keys, and a zoo of receivers."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from pydantic_core import to_json

from omnify_local.ports import LOOPBACK, answers, free_port
from omnify_local.processes import Process
from omnify_shared import clock
from omnify_shared.dapr.client import SidecarClient
from omnify_shared.dapr.endpoints import Endpoint as Api
from omnify_shared.events.publisher import PUBSUB
from omnify_shared.ids import new_id
from omnify_shared.testing import ExtraApp, Home, Service, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from support.recorder import TOPICS, Recorder
from support.tokens import Signer, bearer

JSON = dict[str, Any]
HERE = Path(__file__).parent
IMPORTED = "omnify.analytics.import.completed.v1"
FAILED = "omnify.analytics.import.failed.v1"
RENAMED = "omnify.auth.organization.renamed.v1"
LISTENER = ExtraApp("listener", subscribes=TOPICS)
# The ladder of ten steps and its figures, within seconds.
QUICK = {
    "WEBHOOKS_LADDER": json.dumps([0, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4, 0.4, 0.4, 0.5]),
    "WEBHOOKS_POLL_INTERVAL": "0.1",
    "WEBHOOKS_TIMEOUT": "2",
    "WEBHOOKS_CONNECT_TIMEOUT": "1",
    "WEBHOOKS_LEASE": "5",
    "WEBHOOKS_BREAKER_FAILURES": "100",
}


class Hooks:
    """A home with the webhooks service. `clone` is a second replica beside a sidecar of its own."""

    def __init__(self, home: Home, **environment: str) -> None:
        self.home = home
        self.signer = Signer()
        self.zoo_port, keys_port = free_port(), free_port()
        self.requests = home.path / "zoo.jsonl"
        jwks = home.path / "jwks.json"
        jwks.write_text(json.dumps(self.signer.document()))
        self._processes = [
            self._process("zoo", self.zoo_port, str(self.requests)),
            self._process("keys_server", keys_port, str(jwks)),
        ]
        self._environment = {**QUICK, "WEBHOOKS_EXEMPT_TARGETS": json.dumps([f"{LOOPBACK}:{self.zoo_port}"])}
        self._environment |= environment
        self.auth = Sidecar(home, "auth", app_port=keys_port)
        self.analytics = Sidecar(home, "analytics")
        self.webhooks = self._service()
        self.clones: list[Service] = []

    @cached_property
    def listener(self) -> Recorder:
        """Who hears every event, while it is entered."""
        return Recorder(self.home, LISTENER.app_id)

    def _process(self, name: str, port: int, *more: str) -> Process:
        command = [sys.executable, str(HERE / f"{name}.py"), str(port), *more]
        process = Process(name, command, log=self.home.logs / f"{name}.log")
        process.wait_until(lambda: answers(port), timeout=30)
        return process

    def _service(self) -> Service:
        sidecar = Sidecar(self.home, "webhooks", app_port=free_port())
        return Service(sidecar, environment=self._environment)

    def start(self) -> "Hooks":
        for sidecar in (self.auth, self.analytics, self.webhooks.sidecar):
            sidecar.launch()
        self.webhooks.launch()
        self.webhooks.wait(timeout=150)
        for sidecar in (self.auth, self.analytics, self.webhooks.sidecar):
            sidecar.wait(150)
        self.webhooks.sidecar.wait_for_app(150)
        return self

    def clone(self) -> Service:
        """A second replica."""
        service = self._service()
        self.clones.append(service)
        service.sidecar.launch()
        service.launch()
        service.wait(timeout=150)
        service.sidecar.wait_for_app(150)
        return service

    def stop(self) -> None:
        for service in (self.webhooks, *self.clones):
            service.terminate()
            service.sidecar.kill()
        for sidecar in (self.auth, self.analytics):
            sidecar.kill()
        for process in self._processes:
            process.kill()

    def tenant(self, **claims: Any) -> "Tenant":
        """Somebody of an organisation of their own."""
        return Tenant(self, claims.pop("org", new_id()), claims)

    async def publish(self, event_type: str, organization_id: str, event_id: str | None = None, **data: Any) -> str:
        """Publishes an event as its producer would."""
        source = event_type.split(".")[1]
        sidecar = {"auth": self.auth, "analytics": self.analytics}[source]
        event = {
            "specversion": "1.0",
            "id": event_id or new_id(),
            "source": source,
            "type": event_type,
            "subject": organization_id,
            "time": clock.now().isoformat(),
            "sequence": "1",
            "datacontenttype": "application/json",
            "data": {"organization_id": organization_id, **data},
        }
        client = SidecarClient(Api.beside(sidecar.ports.grpc), {"dapr-api-token": self.home.dapr_api_token})
        try:
            await client.publish_event(
                PUBSUB,
                f"{source}-events",
                to_json(event),
                publish_metadata={"partitionKey": organization_id},
                data_content_type="application/cloudevents+json",
            )
        finally:
            await client.close()
        return str(event["id"])

    def taken(self, path: str) -> list[JSON]:
        """What came to a receiver, in order."""
        lines = self.requests.read_text().splitlines() if self.requests.exists() else []
        return [line for line in map(json.loads, lines) if line["path"] == path]

    async def arrived(self, path: str, count: int = 1, seconds: float = 100) -> list[JSON]:
        """The first `count` requests at a receiver, once they came."""
        await until(lambda: len(self.taken(path)) >= count, seconds)
        return self.taken(path)


class Tenant:
    """Calls the service as its sidecar would, with the token of somebody in one organisation."""

    def __init__(self, hooks: Hooks, organization_id: str, claims: JSON) -> None:
        self.hooks, self.id = hooks, organization_id
        self._claims = {"roles": ["owner"], **claims}

    def ask(self, method: str, path: str, expected: int, **options: Any) -> Any:
        """One request. Raises AssertionError on another status."""
        token = self.hooks.signer.token(org=self.id, **self._claims)
        headers = self.hooks.webhooks.headers | bearer(token) | options.pop("headers", {})
        url = f"{self.hooks.webhooks.url}/api/webhooks{path}"
        answer = httpx.request(method, url, headers=headers, timeout=30, **options)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.content else None

    def endpoint(self, kind: str, *event_types: str, **values: Any) -> "Endpoint":
        """An endpoint at a receiver of that kind, which nobody else has."""
        path = f"/{new_id()}/{kind}"
        url = f"http://{LOOPBACK}:{self.hooks.zoo_port}{path}"
        form = {"url": url, "event_types": list(event_types or (FAILED,)), **values}
        return Endpoint(self, path, self.ask("POST", "/endpoints", 201, json=form))

    async def fail_import(self, event_id: str | None = None, reason: str = "no orders") -> str:
        """Something that happens in the organisation."""
        return await self.hooks.publish(FAILED, self.id, event_id, import_id=new_id(), reason=reason)


class Endpoint:
    """An endpoint and its receiver's path."""

    def __init__(self, tenant: Tenant, path: str, made: JSON) -> None:
        self.tenant, self.path, self.made = tenant, path, made
        self.url = f"/endpoints/{made['endpoint_id']}"

    @property
    def state(self) -> JSON:
        found: JSON = self.tenant.ask("GET", self.url, 200)
        return found

    def deliveries(self) -> list[JSON]:
        """What was sent, newest first."""
        items: list[JSON] = self.tenant.ask("GET", f"{self.url}/deliveries", 200)["items"]
        return items

    def delivery(self, message_id: str) -> JSON:
        found: JSON = self.tenant.ask("GET", f"{self.url}/deliveries/{message_id}", 200)
        return found

    async def ended(self, status: str, count: int = 1, seconds: float = 100) -> list[JSON]:
        """The deliveries, once so many have that status."""
        await until(lambda: sum(one["status"] == status for one in self.deliveries()) >= count, seconds)
        return [one for one in self.deliveries() if one["status"] == status]


async def until(holds: Callable[[], Any], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def new_hooks(
    backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str
) -> Iterator[Callable[..., Hooks]]:
    """`new_hooks(**environment)`: a home of its own with the service running."""
    made: list[Hooks] = []

    def make(**environment: str) -> Hooks:
        home = make_home(backing, tmp_path_factory.mktemp("webhooks") / "home", set_name, [LISTENER])
        made.append(Hooks(home, **environment))
        return made[-1].start()

    yield make
    for hooks in made:
        hooks.stop()


@pytest.fixture(scope="module")
def hooks(new_hooks: Callable[..., Hooks]) -> Hooks:
    return new_hooks()
