"""The services as imported: their apps, the events they publish and those they read."""

import asyncio
import contextlib
import importlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from omnify_shared.events import EventData
from omnify_shared.forms import Form
from omnify_shared.platform import Platform

_FOREIGN = ("OMNIFY_", "DAPR_", "APP_", "OTEL_")
EventType = type[EventData]


@dataclass(frozen=True)
class Service:
    """One service. `reads` is what its events module declares, `handles` what its app subscribes to.

    `stores` are the forms of its own documents, `shares` those of the building blocks that every app is given.
    """

    name: str
    app: FastAPI
    produces: tuple[EventType, ...] = ()
    reads: tuple[EventType, ...] = ()
    handles: tuple[EventType, ...] = ()
    stores: tuple[Form, ...] = ()
    shares: tuple[Form, ...] = ()


def load(root: Path) -> list[Service]:
    """Every service below `root/services` that has an app, by name."""
    names = sorted(folder.name for folder in (root / "services").iterdir() if folder.is_dir())
    return [_service(name) for name in names if _has(f"omnify_{name}", "app")]


def _service(name: str) -> Service:
    package = f"omnify_{name}"
    with _plain_environment(name):
        app = _fastapi(importlib.import_module(f"{package}.app").create_app())
    events = importlib.import_module(f"{package}.events") if _has(package, "events") else None
    subscriptions = app.state.subscriptions
    handles = [subscription.reader for subscription in subscriptions.by_type.values()] if subscriptions else []
    return Service(
        name,
        app,
        produces=tuple(getattr(events, "EVENTS", ())),
        reads=tuple(getattr(events, "READS", ())),
        handles=tuple(handles),
        **_forms(app),
    )


def _forms(app: FastAPI) -> dict[str, tuple[Form, ...]]:
    """What the app stores. Its service object is made, as at a start, and let go before anything has begun."""
    platform: Platform = app.state.platform
    if not platform.uses_state:
        return {}
    shared = tuple(platform.state.forms)

    async def make() -> None:
        async with app.state.build(platform):
            pass
        await platform.tasks.close()

    asyncio.run(make())
    return {"shares": shared, "stores": tuple(form for form in platform.state.forms if form not in shared)}


def _has(package: str, module: str) -> bool:
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(f"{package}.{module}") is not None


def _fastapi(app: Any) -> FastAPI:
    """The FastAPI app inside whatever ASGI layers a service puts around it."""
    while not isinstance(app, FastAPI):
        app = app.app
    return app


@contextlib.contextmanager
def _plain_environment(name: str) -> Iterator[None]:
    """Default settings: contracts must not depend on where they are made."""
    before = dict(os.environ)
    for variable in before:
        if variable.startswith((*_FOREIGN, f"{name.upper()}_")):
            del os.environ[variable]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
