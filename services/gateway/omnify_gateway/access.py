"""What the gateway uses: whatever its table routes, the services' OpenAPI documents, and its sidecar's metadata."""

from omnify_gateway.api_keys import EXCHANGE
from omnify_gateway.openapi import document_of
from omnify_gateway.proxy import METHODS
from omnify_gateway.table import ROUTES
from omnify_shared.access import Access, Prefix

_APPS = sorted({route.app_id for route in ROUTES})
ACCESS = Access(
    calls=(*(document_of(app_id) for app_id in _APPS), EXCHANGE),
    prefixes=tuple(Prefix(route.app_id, tuple(sorted(METHODS)), route.prefix) for route in ROUTES),
    metadata=True,  # whether a monolith is declared: monolith.py
)
