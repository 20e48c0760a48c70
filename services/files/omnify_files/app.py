"""Wires the files service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from omnify_files.blobs import FILESTORE, Blobs
from omnify_files.erasure import Eraser
from omnify_files.events import ErasureCompleted
from omnify_files.inspector import Inspector
from omnify_files.keeper import Keeper
from omnify_files.kinds import MAX_SIZE
from omnify_files.links import KEY, Links
from omnify_files.metrics import FileMetrics
from omnify_files.routes import ROUTERS, UPLOADS
from omnify_files.runner import Runner
from omnify_files.scanner import Scanner
from omnify_files.service import FilesService
from omnify_files.settings import FilesSettings
from omnify_files.store import FileStore
from omnify_files.subscriptions import subscriptions
from omnify_files.uploads import Uploads
from omnify_files.workspace import keep_tidy
from omnify_shared.access import Access
from omnify_shared.app import service_app
from omnify_shared.erasure import Erasures
from omnify_shared.platform import Platform


def create_app(settings: FilesSettings | None = None) -> FastAPI:
    """The ASGI app of the files service."""
    settings = settings or FilesSettings()

    @asynccontextmanager
    async def build(platform: Platform) -> AsyncIterator[FilesService]:
        store = FileStore(platform.state, platform.outbox)
        blobs = Blobs(platform.bindings.objects(FILESTORE))
        metrics = FileMetrics(platform.telemetry)
        scanner = Scanner(settings.clamd, timeout=settings.scan_timeout.total_seconds())
        inspector = Inspector(settings.inspect_timeout.total_seconds())
        runner = Runner(store, blobs, scanner, inspector, settings, metrics)
        keeper = Keeper(store, blobs, runner, settings, platform.tasks, metrics)
        platform.tasks.spawn(keeper.keep_looking(), name="agenda")
        platform.tasks.spawn(keep_tidy(), name="workspaces")
        uploads = Uploads(store, blobs, platform.rate_limits, settings, metrics)
        erasures = Erasures(platform, ErasureCompleted, Eraser(store, keeper).erase)
        platform.tasks.spawn(erasures.run(), name="erasures")
        yield FilesService(store, blobs, uploads, keeper, Links(platform.secrets), erasures, settings)

    return service_app(
        settings,
        title="Omnify files",
        build=build,
        routers=ROUTERS,
        subscriptions=subscriptions,
        body_limits={UPLOADS: MAX_SIZE},
        revocations=True,
        access=Access(secrets=(KEY,), bindings=(FILESTORE,)),
    )
