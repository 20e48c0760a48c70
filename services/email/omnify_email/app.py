"""Wires the email service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from omnify_email.auth import CALLS, Auth
from omnify_email.erasure import Eraser
from omnify_email.events import ErasureCompleted
from omnify_email.metrics import MailMetrics
from omnify_email.routes import router
from omnify_email.senders import SENDGRID_API_KEY, senders_for
from omnify_email.service import EmailService
from omnify_email.settings import EmailSettings
from omnify_email.store import MailStore
from omnify_email.subscriptions import subscriptions
from omnify_shared.access import Access
from omnify_shared.app import service_app
from omnify_shared.erasure import Erasures
from omnify_shared.platform import Platform


def create_app(settings: EmailSettings | None = None) -> FastAPI:
    """The ASGI app of the email service."""
    settings = settings or EmailSettings()

    @asynccontextmanager
    async def build(platform: Platform) -> AsyncIterator[EmailService]:
        auth = Auth(platform.invoker, timeout=settings.fetch_timeout)
        sender = senders_for(settings, platform.secrets)
        store = MailStore(platform.state)
        erasures = Erasures(platform, ErasureCompleted, Eraser(store).erase)
        service = EmailService(settings, store, auth, sender, MailMetrics(platform.telemetry), erasures)
        platform.tasks.spawn(erasures.run(), name="erasures")
        platform.tasks.spawn(service.keep_trying(), name="waiting mails")
        yield service

    return service_app(
        settings,
        title="Omnify email",
        build=build,
        routers=[router],
        subscriptions=subscriptions,
        access=Access(calls=CALLS, secrets=(SENDGRID_API_KEY,)),
    )
