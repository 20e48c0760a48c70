"""Dependencies of the gateway's own routes."""

from typing import Annotated

from fastapi import Depends

from omnify_gateway.service import GatewayService
from omnify_shared.deps import service_of

ServiceDep = Annotated[GatewayService, Depends(service_of(GatewayService))]
