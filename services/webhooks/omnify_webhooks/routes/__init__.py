"""The API, part by part."""

from omnify_shared.exports import export_router
from omnify_webhooks.routes import connections, deliveries, endpoints, inbound

ROUTERS = [endpoints.router, deliveries.router, connections.router, inbound.router, export_router()]
