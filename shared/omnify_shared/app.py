"""The app factory: every service is `service_app(settings, title=…, build=…, routers=[…])`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, FastAPI

from omnify_shared import gauges, health, logs, openapi, problems
from omnify_shared.access import Access
from omnify_shared.edge import Edge
from omnify_shared.events import routes as event_routes
from omnify_shared.events.deadletters import DeadLetters
from omnify_shared.events.inbox import Inbox
from omnify_shared.events.subscriptions import Dispatcher, Subscriptions
from omnify_shared.jwks import JWKS, KeySource
from omnify_shared.platform import Platform, make_platform
from omnify_shared.session_events import follow_revocations
from omnify_shared.settings import Settings
from omnify_shared.telemetry import Telemetry

Build = Callable[[Platform], AbstractAsyncContextManager[Any]]
# No broker here takes a larger event: one that the app refused for its size would be delivered again for ever.
EVENT_LIMITS = {"/events/": 16 * 1024 * 1024}  # bytes


def service_app(  # noqa: PLR0913 - the factory's options are the service's whole wiring
    settings: Settings,
    *,
    title: str,
    build: Build,
    routers: Sequence[APIRouter],
    subscriptions: Subscriptions | None = None,
    body_limits: Mapping[str, int] | None = None,
    revocations: bool = False,
    keys: Callable[[Platform], KeySource] | None = None,
    uses_state: bool = True,
    access: Access = Access(),
) -> FastAPI:
    """A service.

    `build(platform)` is an async context manager that yields the service object; it may not need the sidecar yet.
    `body_limits` maps path prefixes to bytes. `revocations` follows auth's ended sessions. `keys` gives the token
    keys instead of auth's JWKS. `uses_state=False` is for an app without a state store. `access` is what the app uses.
    """
    logs.configure(settings.app_id, settings.log_level)
    telemetry = Telemetry(settings.app_id)
    app = FastAPI(title=title, version="1", lifespan=_lifespan(build, uses_state), docs_url=None, redoc_url=None)
    access = app.state.access = _with_keys(access) if revocations and keys is None else access
    platform = app.state.platform = _platform(settings, telemetry, access, uses_state, keys)
    app.state.service, app.state.build = None, build
    problems.install(app)
    openapi.install(app)
    for router in routers:
        app.include_router(router)
    health.mount(app, settings.app_id, platform, telemetry)
    if revocations:
        subscriptions = subscriptions or Subscriptions(settings.app_id)
        follow_revocations(subscriptions, platform.identity.revocations)
    app.state.subscriptions = subscriptions
    app.state.dead_letters = app.state.dispatcher = None
    if subscriptions:
        _mount_events(app, subscriptions, platform)
    app.add_middleware(Edge, settings=settings, telemetry=telemetry, limits={**EVENT_LIMITS, **(body_limits or {})})
    return app


def _with_keys(access: Access) -> Access:
    """An app that follows sessions verifies tokens, so it asks auth for its keys."""
    return replace(access, calls=(*access.calls, JWKS))


def _mount_events(app: FastAPI, subscriptions: Subscriptions, platform: Platform) -> None:
    inbox = Inbox(platform.state)
    letters = DeadLetters(platform.state, inbox)
    dispatcher = Dispatcher(subscriptions, inbox, platform.telemetry.tracing, platform.event_metrics)
    event_routes.mount(app, subscriptions, dispatcher, letters)
    app.state.dead_letters, app.state.dispatcher = letters, dispatcher


async def _count(platform: Platform, letters: DeadLetters) -> None:
    await platform.sidecar.ready.wait()
    await letters.count()


def _platform(
    settings: Settings,
    telemetry: Telemetry,
    access: Access,
    uses_state: bool,
    keys: Callable[[Platform], KeySource] | None,
) -> Platform:
    holder: list[Platform] = []

    async def own_keys() -> dict[str, Any]:
        assert keys is not None  # noqa: S101 - only called when given
        return await keys(holder[0])()

    platform = make_platform(settings, telemetry, uses_state=uses_state, keys=own_keys if keys else None, access=access)
    holder.append(platform)
    return platform


def _lifespan(build: Build, uses_state: bool) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        platform: Platform = app.state.platform
        platform.tasks.spawn(platform.sidecar.watch(), name="sidecar watch")
        if uses_state:
            platform.tasks.spawn(platform.outbox.run(), name="outbox")
            platform.tasks.spawn(platform.identity.revocations.run(), name="revocations")
        if app.state.subscriptions:
            platform.tasks.spawn(_count(platform, app.state.dead_letters), name="dead letters")
        gauges.install(platform, app.state.dead_letters)
        try:
            async with build(platform) as service:
                app.state.service = service
                yield
            if uses_state and platform.sidecar.healthy:
                await platform.outbox.drain()
        finally:
            await platform.tasks.close()
            await platform.sidecar.close()
            await asyncio.to_thread(platform.telemetry.close)

    return lifespan
