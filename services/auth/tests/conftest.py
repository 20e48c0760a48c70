"""A lab: replicas of auth on real sidecars, and a second app that receives their events as email would."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from omnify_auth.app import create_app
from omnify_auth.service import AuthService
from omnify_auth.settings import AuthSettings
from omnify_local.ports import free_port
from omnify_shared import clock
from omnify_shared.testing import ExtraApp, Home, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home

PASSWORD = "seven quiet herons wade"
HEARD = ("auth-events", "auth-activity")
_numbers = itertools.count(1)


class Server(uvicorn.Server):
    """uvicorn inside the test's event loop; pytest keeps the signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    @classmethod
    async def serving(cls, app: Any, port: int) -> "tuple[Server, asyncio.Task[None]]":
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_config=None, access_log=False, timeout_graceful_shutdown=5
        )
        server = cls(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            assert not task.done(), "the app did not start"
            await asyncio.sleep(0.02)
        return server, task


class Probe:
    """Receives every event of auth."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.arrived = asyncio.Condition()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        while (message := await receive()).get("more_body") or message.get("body"):
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await self._answer(send, await self._handled(scope["path"], body))

    async def _handled(self, path: str, body: bytes) -> Any:
        if path == "/dapr/subscribe":
            return [{"pubsubname": "pubsub", "topic": topic, "route": "/events"} for topic in HEARD]
        if path == "/events":
            async with self.arrived:
                self.events.append(httpx.Response(200, content=body).json())
                self.arrived.notify_all()
        return {"status": "SUCCESS"}

    @staticmethod
    async def _answer(send: Any, answer: Any) -> None:
        response = httpx.Response(200, json=answer)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})

    async def first(self, wanted: Callable[[dict[str, Any]], Any]) -> Any:
        """What `wanted` finds in the first event where it finds anything (it may be a coroutine function)."""
        seen = 0
        async with asyncio.timeout(30):
            while True:
                for event in self.events[seen:]:
                    seen += 1
                    if found := await wanted(event):
                        return found
                async with self.arrived:
                    if len(self.events) == seen:
                        await self.arrived.wait()


@dataclass
class Replica:
    """One process' worth of auth, its sidecar beside it."""

    app: Any
    settings: AuthSettings
    sidecar: Sidecar
    http: httpx.AsyncClient
    server: Server
    task: asyncio.Task[None]

    @property
    def service(self) -> AuthService:
        service = self.app.state.service
        assert isinstance(service, AuthService)
        return service

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/api/auth/{path}", json=body)

    async def get(self, path: str, token: str) -> httpx.Response:
        return await self.http.get(path, headers={"authorization": f"Bearer {token}"})

    async def stop(self) -> None:
        await self.http.aclose()
        self.server.should_exit = True
        await self.task
        await asyncio.to_thread(self.sidecar.terminate)


@dataclass
class Lab:
    home: Home
    probe: Probe
    replicas: list[Replica] = field(default_factory=list)
    # Whom each verification is for, once it was looked at: with hundreds of them looking again takes most of a test.
    _recipients: dict[str, tuple[str, str] | None] = field(default_factory=dict)

    @property
    def auth(self) -> Replica:
        return self.replicas[0]

    @contextlib.asynccontextmanager
    async def another(self) -> AsyncIterator[Replica]:
        """Another replica, for a while."""
        replica = await self.start_replica()
        try:
            yield replica
        finally:
            self.replicas.remove(replica)
            await replica.stop()

    async def start_replica(self, **settings: Any) -> Replica:
        port = free_port()
        sidecar = Sidecar(self.home, "auth", app_port=port)
        made = AuthSettings(
            environment="test",
            dapr_http_port=sidecar.ports.http,
            dapr_grpc_port=sidecar.ports.grpc,
            dapr_api_token=self.home.dapr_api_token,
            app_api_token=self.home.app_api_token,
            **settings,
        )
        app = create_app(made)
        server, task = await Server.serving(app, port)
        await asyncio.to_thread(sidecar.start)
        headers = {"dapr-api-token": self.home.app_api_token}
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30)
        replica = Replica(app, made, sidecar, http, server, task)
        self.replicas.append(replica)
        await asyncio.to_thread(sidecar.wait_for_app)
        async with asyncio.timeout(30):
            while (await http.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.05)
        return replica

    def form(self, **fields: str) -> dict[str, str]:
        """A registration of a new person."""
        number = next(_numbers)
        person = {
            "email": f"person{number}@shop{number}.example.com",
            "password": PASSWORD,
            "full_name": f"Ada Number{number}",
            "organization_name": f"Shop {number}",
        }
        return person | fields

    async def registered(self, **fields: str) -> dict[str, str]:
        form = self.form(**fields)
        answer = await self.auth.post("register", **form)
        assert answer.status_code == 202, answer.text
        return form

    async def mint(self, verification_id: str) -> httpx.Response:
        headers = {"dapr-caller-app-id": "email"}
        return await self.auth.http.post(f"/internal/verifications/{verification_id}/token", headers=headers)

    async def mailed_token(self, email: str, name: str | None = None) -> str:
        """The token of the first mail to an address (with that name on it), made the way the email service does."""

        def for_us(recipient: tuple[str, str] | None) -> bool:
            return recipient is not None and recipient[0] == email and name in (None, recipient[1])

        async def wanted(event: dict[str, Any]) -> str | None:
            known = event["data"].get("verification_id")
            if known is None or (known in self._recipients and not for_us(self._recipients[known])):
                return None
            answer = await self.mint(known)
            mail = answer.json()
            recipient = (mail["email"], mail["full_name"]) if answer.status_code == 200 else None
            if answer.status_code < 500:
                self._recipients[known] = recipient
            return str(mail["token"]) if for_us(recipient) else None

        return str(await self.probe.first(wanted))

    async def verified(self, **fields: str) -> dict[str, str]:
        form = await self.registered(**fields)
        answer = await self.auth.post("verify-email", token=await self.mailed_token(form["email"]))
        assert answer.status_code == 200, answer.text
        return form

    async def login(self, form: dict[str, str], password: str | None = None) -> httpx.Response:
        return await self.auth.post("login", email=form["email"], password=password or form["password"])

    async def signed_in(self, **fields: str) -> dict[str, Any]:
        answer = await self.login(await self.verified(**fields))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


class Person:
    """Somebody signed in; what they ask, they ask of the organisation that their session works in."""

    def __init__(self, lab: Lab, form: dict[str, str], tokens: dict[str, Any]) -> None:
        self.lab, self.form, self.tokens = lab, form, tokens
        self.email = form["email"]

    @classmethod
    async def new(cls, lab: Lab) -> "Person":
        form = await lab.verified()
        return cls(lab, form, (await lab.login(form)).json())

    def again(self, tokens: dict[str, Any]) -> "Person":
        """The same person in another session."""
        return Person(self.lab, self.form, tokens)

    @property
    def id(self) -> str:
        return str(self.tokens["user"]["user_id"])

    @property
    def organization_id(self) -> str:
        return str(self.tokens["user"]["organization_id"])

    async def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.tokens['access_token']}"}
        extra: dict[str, Any] = {"json": body} if method in ("POST", "PATCH", "PUT") else {}
        answer: httpx.Response = await self.lab.auth.http.request(
            method, f"/api/organizations{path}", headers=headers, **extra
        )
        return answer

    async def here(self, method: str, path: str = "", **body: Any) -> httpx.Response:
        return await self.ask(method, f"/{self.organization_id}{path}", **body)

    async def refresh(self) -> httpx.Response:
        answer: httpx.Response = await self.lab.auth.post("refresh", refresh_token=self.tokens["refresh_token"])
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    async def switch(self, organization_id: str) -> httpx.Response:
        answer = await self.ask("POST", f"/{organization_id}/switch")
        if answer.status_code == 200:
            self.tokens |= answer.json()
        return answer

    async def invited(self, email: str, role: str = "member") -> str:
        """The token that was mailed."""
        answer = await self.here("POST", "/invitations", email=email, role=role)
        assert answer.status_code == 201, answer.text
        return await mailed(self.lab, answer.json()["invitation_id"])

    async def colleague(self, role: str = "member") -> "Person":
        """Somebody with an organisation of their own who joined this one too, and works in it."""
        guest = await Person.new(self.lab)
        answer = await guest.ask("POST", "/invitations/accept", token=await self.invited(guest.email, role))
        assert answer.status_code == 200, answer.text
        assert (await guest.switch(self.organization_id)).status_code == 200
        return guest


async def mailed(lab: Lab, letter_id: str) -> str:
    async def wanted(event: dict[str, Any]) -> str | None:
        if event["data"].get("letter_id") != letter_id:
            return None
        answer = await lab.auth.http.post(f"/internal/letters/{letter_id}", headers={"dapr-caller-app-id": "email"})
        return str(answer.json()["token"])

    return str(await lab.probe.first(wanted))


@pytest.fixture(scope="session")
async def lab(backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str) -> AsyncIterator[Lab]:
    extra = [ExtraApp("probe", subscribes=HEARD)]
    home = make_home(backing, tmp_path_factory.mktemp(f"auth-{set_name}"), set_name, extra)
    probe, port = Probe(), free_port()
    server, task = await Server.serving(probe, port)
    watcher = Sidecar(home, "probe", app_port=port)
    await asyncio.to_thread(watcher.start)
    made = Lab(home, probe)
    await made.start_replica()
    yield made
    for replica in made.replicas:
        await replica.stop()
    await asyncio.to_thread(watcher.terminate)
    server.should_exit = True
    await task


@pytest.fixture
def new_person(lab: Lab) -> Callable[[], Awaitable[Person]]:
    """`await new_person()`: somebody new, signed in, with an organisation of their own."""

    async def made() -> Person:
        return await Person.new(lab)

    return made


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """`travel(timedelta(hours=1))` moves the service's clock ahead."""
    real, offset = clock.now, timedelta()

    def now() -> datetime:
        return real() + offset

    def ahead(by: timedelta) -> None:
        nonlocal offset
        offset += by

    monkeypatch.setattr(clock, "now", now)
    return ahead
