"""The email service as a process beside a real sidecar, a strict auth stand-in, and strict servers for the mails."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx2 as httpx
import pytest
from dapr.proto import api_service_v1, api_v1

from omnify_local import paths, secrets
from omnify_local.ports import LOOPBACK, answers, free_port
from omnify_local.processes import Process, tail
from omnify_shared import clock
from omnify_shared.access import OPERATOR
from omnify_shared.ids import new_id
from omnify_shared.testing import ExtraApp, Home, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from omnify_shared.testing.service import Service
from support.sendgrid import PATH, batch, give_webhook_key
from support.tokens import Signer

NewPost = Callable[..., "Post"]
HERE = Path(__file__).parent
POLL = 0.05


class Post:
    """A home with auth's stand-in, the email service, and the servers that take its mails."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.path / "post"
        self.folder.mkdir()
        self.smtp_port, self.sendgrid_port, self.dns_port = free_port(), free_port(), free_port()
        self.signer = Signer()
        (self.folder / "jwks.json").write_text(json.dumps(self.signer.document()))
        give_webhook_key(home)
        self.servers: dict[str, Process] = {}
        self.auth = self._service(
            "auth", "auth_stand_in:create_app", PYTHONPATH=str(HERE), STAND_IN_FOLDER=str(self.folder)
        )
        self.email = self._service("email", None, OMNIFY_PUBLIC_URL="https://omnify.example", EMAIL_POLL_INTERVAL="0.2")
        self.email.environment["OMNIFY_SMTP_URL"] = f"smtp://{LOOPBACK}:{self.smtp_port}"
        self.email.environment["EMAIL_SENDGRID_URL"] = f"http://{LOOPBACK}:{self.sendgrid_port}"
        self.email.environment["OMNIFY_IDEMPOTENCY_LEASE"] = "PT10S"
        self.email.environment |= {"EMAIL_DNS_SERVERS": f"{LOOPBACK}:{self.dns_port}", "EMAIL_DNS_TIMEOUT": "2"}
        # Known to each other by their ports: on a busy machine the entries of the file resolver go stale.
        home.find_peers({service.name: service.sidecar.ports.internal for service in (self.auth, self.email)})

    def _service(self, app_id: str, factory: str | None, **environment: str) -> Service:
        return Service(Sidecar(self.home, app_id, app_port=free_port()), factory, environment=environment)

    def start(self, **environment: str) -> "Post":
        self.email.environment.update(environment)
        self.start_smtp()
        key = secrets.read(self.home.path, "email").get("sendgrid-api-key", "no key")
        self._server("sendgrid", self.sendgrid_port, key, self.email.url, self.email.sidecar.tokens.app)
        for service in (self.auth, self.email):
            service.sidecar.launch()
            service.launch()
        self.auth.wait(ready=False)
        self.email.wait()
        for service in (self.auth, self.email):
            service.sidecar.wait()
            service.sidecar.wait_for_app()
        return self

    def start_dns(self) -> None:
        self._server("dns", self.dns_port)

    def set_zone(self, records: dict[str, list[str]]) -> None:
        """What the DNS has: `{"TXT name": [value]}`."""
        (self.folder / "dns.jsonl").write_text(json.dumps(records))

    def start_smtp(self) -> None:
        self._server("smtp", self.smtp_port)

    def _server(self, name: str, port: int, *more: str) -> None:
        command = [
            sys.executable,
            str(HERE / f"{name}_server.py"),
            str(port),
            str(self.folder / f"{name}.jsonl"),
            *more,
        ]
        ours = {"PYTHONPATH": str(paths.repository() / "tests")}
        server = Process(name, command, log=self.home.logs / f"{name}.log", env=ours)
        self.servers[name] = server
        server.wait_until(lambda: answers(port), timeout=20)

    def stop(self) -> None:
        for service in (self.email, self.auth):
            service.terminate()
            service.sidecar.terminate()
        for server in self.servers.values():
            server.kill()

    async def publish(self, event_type: str, event_id: str | None = None, **data: Any) -> str:
        """Publishes an event as auth, through auth's sidecar."""
        event_id = event_id or new_id()
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": "auth",
            "type": event_type,
            "subject": "u1",
            "time": clock.now().isoformat(),
            "sequence": 1,
            "datacontenttype": "application/json",
            "data": {"user_id": "u1", "organization_id": "o1", **data},
        }
        request = api_v1.PublishEventRequest(
            pubsub_name="pubsub",
            topic="auth-events",
            data=json.dumps(event).encode(),
            data_content_type="application/cloudevents+json",
        )
        async with grpc.aio.insecure_channel(f"{LOOPBACK}:{self.auth.sidecar.ports.grpc}") as channel:
            sidecar = api_service_v1.DaprStub(channel)
            await sidecar.PublishEvent(request, metadata=(("dapr-api-token", self.home.dapr_api_token),), timeout=10)
        return event_id

    async def registered(self, verification_id: str, event_id: str | None = None) -> str:
        return await self.publish("omnify.auth.user.registered.v1", event_id, verification_id=verification_id)

    def taken(self, server: str, local_part: str) -> list[dict[str, Any]]:
        """The mails to one person that a server took."""
        file = self.folder / f"{server}.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines if f'"{local_part}@shop.example"' in line]

    async def one(self, server: str, local_part: str, seconds: float = 60) -> dict[str, Any]:
        """The mail to one person, which has to be the only one even a little later."""
        try:
            await self.until(lambda: self.taken(server, local_part), seconds)
        except TimeoutError:
            raise AssertionError(f"no mail to {local_part}; the service's log ends:\n{tail(self.email.log)}") from None
        await asyncio.sleep(0.5)
        [mail] = self.taken(server, local_part)
        return mail

    async def status(self, event_id: str, *wanted: str, seconds: float = 30) -> dict[str, Any]:
        """The record of a mail, once its status is one of `wanted`."""
        record: dict[str, Any] = {}

        async def reached() -> bool:
            answer = await self.ask("GET", f"/mails/{event_id}")
            record.clear()
            record.update(answer.json() if answer.status_code == 200 else {})
            return record.get("status") in wanted

        await self.until(reached, seconds)
        return record

    def caller(self, organization_id: str, role: str = "owner", name: str = "pat") -> "Caller":
        """Somebody who is signed in to an organisation; their address is `<name>@shop.example`."""
        token = self.signer.token(org=organization_id, roles=[role], sub=f"u--{name}")
        return Caller(self, organization_id, token)

    async def told(self, *events: dict[str, Any], age: int = 0) -> httpx.Response:
        """Has SendGrid tell of events, signed as it signs them."""
        body, headers = batch(*events, age=age)
        async with httpx.AsyncClient(base_url=self.email.url, headers=self.email.headers, timeout=30) as client:
            return await client.post(PATH, content=body, headers=headers)

    async def ask(self, method: str, path: str) -> httpx.Response:
        headers = self.email.headers | {"dapr-caller-app-id": OPERATOR}
        async with httpx.AsyncClient(base_url=self.email.url, headers=headers, timeout=15) as client:
            return await client.request(method, path)

    @staticmethod
    async def until(holds: Callable[[], Any], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not (await found if asyncio.iscoroutine(found := holds()) else found):
                await asyncio.sleep(POLL)


@dataclass(frozen=True)
class Caller:
    """Calls the API as somebody, through what the sidecar would add."""

    post: Post
    organization_id: str
    token: str

    async def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = self.post.email.headers | {"authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        async with httpx.AsyncClient(base_url=self.post.email.url, headers=headers, timeout=30) as client:
            return await client.request(method, f"/api/email{path}", **options)

    async def message(self, message_id: str, *wanted: str, seconds: float = 60) -> dict[str, Any]:
        """One mail, once its status is one of `wanted`."""
        found: dict[str, Any] = {}

        async def reached() -> bool:
            answer = await self("GET", f"/messages/{message_id}")
            found.clear()
            found.update(answer.json())
            return found.get("status") in wanted

        try:
            await self.post.until(reached, seconds)
        except TimeoutError:
            raise AssertionError(f"{message_id} is not {wanted}: {found}") from None
        return found


@pytest.fixture(scope="module")
def new_post(
    backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str
) -> Iterator[Callable[..., Post]]:
    """`new_post(**environment)`: a home of its own with the email service running."""
    made: list[Post] = []

    def make(*extra: ExtraApp, **environment: str) -> Post:
        post = Post(make_home(backing, tmp_path_factory.mktemp("email") / "home", set_name, extra))
        made.append(post)
        return post.start(**environment)

    yield make
    for post in made:
        post.stop()


@pytest.fixture(scope="module")
def post(new_post: NewPost) -> Post:
    return new_post()
