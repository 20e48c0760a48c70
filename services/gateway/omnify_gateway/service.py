"""What the gateway does for its callers, as one object."""

from omnify_gateway.api_keys import ApiKeys
from omnify_gateway.monolith import Monolith
from omnify_gateway.openapi import Catalogue
from omnify_gateway.proxy import Proxy
from omnify_gateway.settings import GatewaySettings
from omnify_gateway.table import Table
from omnify_gateway.wire import Pool
from omnify_shared.platform import Platform


class GatewayService:
    """The proxy to the services and the catalogue of what they offer."""

    def __init__(self, platform: Platform, settings: GatewaySettings) -> None:
        table = Table()
        self.pool = Pool("127.0.0.1", settings.dapr_http_port, limit=settings.max_connections)
        monolith = Monolith(settings, platform.sidecar)
        self.proxy = Proxy(settings, self.pool, monolith, platform.telemetry, table, ApiKeys(platform.invoker))
        self.catalogue = Catalogue(platform.invoker, table, ttl=settings.openapi_ttl)
