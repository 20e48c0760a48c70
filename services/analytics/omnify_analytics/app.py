"""Wires the analytics service."""

from fastapi import FastAPI

from omnify_analytics.routes import UPLOADS, router
from omnify_analytics.service import build
from omnify_analytics.settings import AnalyticsSettings
from omnify_analytics.subscriptions import make_subscriptions
from omnify_analytics.uploads import FORM_OVERHEAD
from omnify_shared.app import service_app
from omnify_shared.exports import export_router


def create_app(settings: AnalyticsSettings | None = None) -> FastAPI:
    """The ASGI app; settings come from the environment unless given."""
    settings = settings or AnalyticsSettings()
    return service_app(
        settings,
        title="Omnify analytics",
        build=build,
        routers=[router, export_router()],
        body_limits={UPLOADS: settings.max_file_bytes + FORM_OVERHEAD},
        subscriptions=make_subscriptions(),
        revocations=True,
    )
