"""The routes, by area."""

from omnify_email.routes import (
    domains,
    messages,
    operations,
    preferences,
    provider_events,
    suppressions,
    templates,
    unsubscribe,
)
from omnify_shared.exports import export_router

ROUTERS = (
    operations.router,
    messages.router,
    suppressions.router,
    preferences.router,
    templates.router,
    domains.router,
    unsubscribe.router,
    provider_events.router,
    export_router(),
)
