"""The API, part by part."""

from omnify_webhooks.routes import deliveries, endpoints

ROUTERS = [endpoints.router, deliveries.router]
