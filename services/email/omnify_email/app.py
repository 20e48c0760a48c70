"""Wires the email service."""

from fastapi import FastAPI

from omnify_email.auth import CALLS
from omnify_email.routes import ROUTERS
from omnify_email.senders import SENDGRID_API_KEY
from omnify_email.service import build
from omnify_email.service.provider_events import WEBHOOK_KEY
from omnify_email.settings import EmailSettings
from omnify_email.subscriptions import make_subscriptions
from omnify_email.vault import KEY_ENCRYPTION_KEY
from omnify_shared.access import Access
from omnify_shared.app import service_app


def create_app(settings: EmailSettings | None = None) -> FastAPI:
    """The ASGI app of the email service."""
    return service_app(
        settings or EmailSettings(),
        title="Omnify email",
        build=build,
        routers=ROUTERS,
        subscriptions=make_subscriptions(),
        revocations=True,
        access=Access(calls=CALLS, secrets=(SENDGRID_API_KEY, WEBHOOK_KEY, KEY_ENCRYPTION_KEY)),
    )
