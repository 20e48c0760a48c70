"""What other services hold about a user, asked of each when the user wants it."""

import asyncio
from http import HTTPStatus

from omnify_auth.erasures import SERVICES
from omnify_auth.schemas.exports import ExportedService
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.exports import export_call
from omnify_shared.invocation import Invoker

CALLS = {service: export_call(service) for service in SERVICES}
TIMEOUT = 20.0  # seconds for all, which are asked at once


class PeerExports:
    """A service that does not answer in time is named with the reason, and the rest is given."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    async def of(self, user_id: str) -> tuple[ExportedService, ...]:
        """One part for each service."""
        return tuple(await asyncio.gather(*(self._part(service, user_id) for service in SERVICES)))

    async def _part(self, service: str, user_id: str) -> ExportedService:
        try:
            reply = await self._invoker.request(CALLS[service], {"user_id": user_id}, timeout=TIMEOUT)
        except SidecarError as error:
            return ExportedService(service=service, data=None, missing=error.title)
        if reply.status != HTTPStatus.OK:
            return ExportedService(service=service, data=None, missing=f"it answered {reply.status}")
        return ExportedService(service=service, data=reply.json(), missing=None)
