"""The outermost layer: paths of the services go straight to the proxy, the gateway's own to the app behind it."""

from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from omnify_gateway.headers import SITE_SECURITY, STRICT_TRANSPORT, harden
from omnify_gateway.service import GatewayService
from omnify_shared.settings import Settings

OWN_PATHS = frozenset(
    {
        "/",
        "/docs",
        "/openapi.json",
        "/verify-email",
        "/reset-password",
        "/confirm-email",
        "/accept-invitation",
        "/recover-factors",
        "/health",
        "/metrics",
    }
)
OWN_PREFIXES = ("/assets/", "/health/", "/dapr/")


class Door:
    """Keeps the proxied requests clear of the framework: its middlewares and routing cost more than the proxy."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self.app = app
        self._security = SITE_SECURITY + ((STRICT_TRANSPORT,) if settings.public_url.startswith("https://") else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path: str = scope["path"]
        if path in OWN_PATHS or path.startswith(OWN_PREFIXES):
            return await self.app(scope, receive, self._hardened(send))
        service: GatewayService = self.app.state.service
        return await service.proxy(scope, receive, send)

    def _hardened(self, send: Send) -> Send:
        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = harden(list(message.get("headers", ())), self._security)
            await send(message)

        return hardened
