"""Wires the webhooks service."""

from fastapi import FastAPI

from omnify_shared.app import service_app
from omnify_webhooks.access import ACCESS
from omnify_webhooks.routes import ROUTERS
from omnify_webhooks.service import build
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.subscriptions import make_subscriptions


def create_app(settings: WebhooksSettings | None = None) -> FastAPI:
    """The ASGI app; settings come from the environment unless given."""
    return service_app(
        settings or WebhooksSettings(),
        title="Omnify webhooks",
        build=build,
        routers=ROUTERS,
        subscriptions=make_subscriptions(),
        revocations=True,
        access=ACCESS,
    )
