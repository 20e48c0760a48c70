"""An app with one route per behaviour of the shared package. Also started as a process: `support.lab:create_app`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import httpx2 as httpx
import structlog
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_settings import SettingsConfigDict

from omnify_local.ports import free_port
from omnify_shared import context
from omnify_shared.access import Access, Call
from omnify_shared.app import service_app
from omnify_shared.deps import service_of
from omnify_shared.idempotency import IdempotentRoute
from omnify_shared.identity import CurrentPrincipal, FreshPrincipal, Principal, allowed, require_caller
from omnify_shared.platform import Platform
from omnify_shared.problems import Conflict, TooManyRequests, Unavailable
from omnify_shared.settings import Settings
from omnify_shared.testing import ExtraApp, Home, Sidecar

SECRET = "a value that only the lab may read"
LAB = ExtraApp(
    "lab",
    publishes=("lab-events", "lab-deadletters"),
    subscribes=("lab-events", "lab-deadletters", "auth-events"),
    secrets={"lab-secret": SECRET, "lab-placeholder": "change-me", "lab-short": "0123456789"},
)
ECHO = Call("lab", "POST", "/echo")
IDS, ME, CRASH, SLOW, NOWHERE = (Call("lab", "GET", f"/{name}") for name in ("ids", "me", "crash", "slow", "nowhere"))
NOBODY = Call("nobody", "GET", "/")
ACCESS = Access(calls=(ECHO, IDS, ME, CRASH, SLOW, NOWHERE, NOBODY))
log = structlog.get_logger()


class LabSettings(Settings):
    """Settings of the lab app."""

    model_config = SettingsConfigDict(env_prefix="LAB_")
    app_id: ClassVar[str] = "lab"


class PublicLabSettings(LabSettings):
    """As an app whose callers are browsers."""

    public: ClassVar[bool] = True


class Form(BaseModel):
    """A body of the usual kinds of fields."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    amount: float = 0
    tags: list[str] = []
    anything: JsonValue = None


class Ids(BaseModel):
    """What the app knows of the request."""

    request_id: str
    traceparent: str


class Bench:
    """The service object: counts what its routes did."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.made = 0
        self.gate = asyncio.Event()
        self.fail_with: Exception | None = None


BenchDep = Annotated[Bench, Depends(service_of(Bench))]
Viewer = Annotated[Principal, Depends(allowed("analytics:view"))]
Exporter = Annotated[Principal, Depends(allowed("analytics:export"))]

router = APIRouter()
creating = APIRouter(route_class=IdempotentRoute)


@router.post("/echo")
async def echo(form: Form) -> Form:
    return form


@router.post("/length")
async def length(request: Request) -> int:
    return len(await request.body())


@router.post("/big")
async def big(request: Request) -> int:
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
    return total


@router.get("/crash")
async def crash() -> None:
    raise RuntimeError("dsn is redis://:hunter2@10.1.2.3 and more inner detail")


@router.get("/items/{item_id}")
async def item(item_id: int, limit: int = 5) -> int:
    return item_id + limit


@router.get("/ids")
async def ids() -> Ids:
    known = context.current()
    return Ids(request_id=known.request_id, traceparent=known.traceparent)


@router.get("/slow")
async def slow(seconds: float = 0.3) -> str:
    log.info("slow begins")
    await asyncio.sleep(seconds)
    return "done"


@router.get("/via-peer")
async def via_peer(bench: BenchDep) -> dict[str, JsonValue]:
    reply = await bench.platform.invoker.request(IDS)
    found: dict[str, JsonValue] = reply.json()
    return found


@router.get("/me")
async def me(principal: CurrentPrincipal) -> list[str]:
    return [principal.user_id, principal.organization_id, *principal.roles]


@router.get("/view")
async def view(principal: Viewer) -> str:
    return principal.user_id


@router.get("/sensitive")
async def sensitive(principal: FreshPrincipal) -> list[str]:
    return [principal.user_id, *principal.amr]


@router.get("/export")
async def export(principal: Exporter) -> str:
    return principal.user_id


@router.get("/internal/mail", dependencies=[Depends(require_caller("email"))])
async def internal() -> str:
    return "for email"


@creating.post("/things", status_code=201)
async def make(form: Form, bench: BenchDep, response: Response) -> dict[str, int]:
    bench.made += 1
    number = bench.made
    if form.name == "wait":
        await bench.gate.wait()
    if form.name == "taken":
        raise Conflict("taken", number=number)
    if form.name == "busy":
        raise TooManyRequests("later", retry_after=1)
    if form.name == "down":
        raise Unavailable("later")
    if form.name == "crash":
        raise RuntimeError("a defect")
    response.headers["location"] = f"/things/{number}"
    return {"number": number}


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[Bench]:
    yield Bench(platform)


def create_app(settings: Settings | None = None, **options: Any) -> FastAPI:
    """The app; `options` go to the factory."""
    return service_app(
        settings or LabSettings(),
        title="Lab",
        build=build,
        routers=[router, creating],
        body_limits={"/big": 4_000_000},
        revocations=True,
        access=ACCESS,
        **options,
    )


def settings_beside(sidecar: Sidecar, cls: type[Settings] = LabSettings, **values: Any) -> Settings:
    """Settings of an app beside a sidecar, whether that runs yet or not."""
    return cls(
        environment="test",
        dapr_http_port=sidecar.ports.http,
        dapr_grpc_port=sidecar.ports.grpc,
        dapr_api_token=sidecar.home.dapr_api_token,
        app_api_token=sidecar.home.app_api_token,
        **values,
    )


class Server(uvicorn.Server):
    """uvicorn within the test's event loop; pytest keeps the signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: Any, port: int, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serves an app on loopback and gives a client for it; leaving it is a clean stop."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=5)
    server = Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the app did not start"
        await asyncio.sleep(0.01)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        await task


@dataclass
class Lab:
    """A served lab app, its sidecar, and clients straight to the app and through the sidecar."""

    app: FastAPI
    sidecar: Sidecar
    direct: httpx.AsyncClient
    through: httpx.AsyncClient

    @property
    def platform(self) -> Platform:
        platform = self.app.state.platform
        assert isinstance(platform, Platform)
        return platform

    @property
    def bench(self) -> Bench:
        bench = self.app.state.service
        assert isinstance(bench, Bench)
        return bench


@asynccontextmanager
async def lab_on(home: Home, **options: Any) -> AsyncIterator[Lab]:
    """A lab on its own sidecar in `home`, ready for calls."""
    port = free_port()
    sidecar = Sidecar(home, "lab", app_port=port)
    app = create_app(settings_beside(sidecar), **options)
    try:
        async with serving(app, port, **{"dapr-api-token": home.app_api_token}) as direct:
            await asyncio.to_thread(sidecar.start)
            await asyncio.to_thread(sidecar.wait_for_app)
            await until_ready(direct)
            headers = sidecar.headers | {"dapr-app-id": "lab"}
            async with httpx.AsyncClient(base_url=sidecar.url, headers=headers, timeout=30) as through:
                yield Lab(app, sidecar, direct, through)
    finally:
        await asyncio.to_thread(sidecar.terminate)


async def until_ready(client: httpx.AsyncClient, seconds: float = 60) -> None:
    """Waits until the app says that it is ready."""
    async with asyncio.timeout(seconds):
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.02)
