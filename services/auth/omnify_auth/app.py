"""Wires the auth service."""

from authlib.oauth2 import OAuth2Error
from fastapi import FastAPI

from omnify_auth.routes import ROUTERS
from omnify_auth.routes.oauth import refused
from omnify_auth.service import build
from omnify_auth.service.peer_exports import CALLS
from omnify_auth.settings import AuthSettings
from omnify_auth.subscriptions import make_subscriptions
from omnify_auth.vault import KEY_ENCRYPTION_KEY, PEPPER
from omnify_shared.access import Access
from omnify_shared.app import service_app


def create_app(settings: AuthSettings | None = None) -> FastAPI:
    """The ASGI app; settings come from the environment unless given."""
    app = service_app(
        settings or AuthSettings(),
        title="Omnify auth",
        build=build,
        routers=ROUTERS,
        subscriptions=make_subscriptions(),
        revocations=True,
        keys=lambda _: app.state.service.jwks,
        access=Access(calls=tuple(CALLS.values()), secrets=(PEPPER, KEY_ENCRYPTION_KEY)),
    )
    app.add_exception_handler(OAuth2Error, refused)
    return app
