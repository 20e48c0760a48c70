"""The gateway's few pages: static files with a strict Content-Security-Policy, no framework, nothing from elsewhere."""

from importlib.resources import files
from pathlib import Path

import fastapi_offline
from fastapi.responses import FileResponse

_OWN = Path(str(files("omnify_gateway") / "static"))
_SWAGGER = Path(fastapi_offline.__file__).parent / "static"

# Swagger UI sets innerHTML, which trusted types would refuse.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'self'"
)
_POLICY = _DOCS_POLICY + "; require-trusted-types-for 'script'"

_SCRIPTS = (
    "link", "confirmation", "verify-email", "confirm-email", "accept-invitation", "recover-factors", "reset-password",
    "docs",
)  # fmt: skip
ASSETS = {
    "site.css": _OWN / "site.css",
    **{f"{name}.js": _OWN / f"{name}.js" for name in _SCRIPTS},
    "swagger-ui.css": _SWAGGER / "swagger-ui.css",
    "swagger-ui-bundle.js": _SWAGGER / "swagger-ui-bundle.js",
}


def page(name: str, *, docs: bool = False) -> FileResponse:
    """An HTML page; `docs` loosens the policy by what Swagger UI needs."""
    headers = {
        "content-security-policy": _DOCS_POLICY if docs else _POLICY,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "x-frame-options": "DENY",
        "cache-control": "no-cache",
    }
    return FileResponse(_OWN / f"{name}.html", media_type="text/html; charset=utf-8", headers=headers)


def asset(name: str) -> FileResponse | None:
    """A script or style sheet of the pages, or None when there is none of that name."""
    path = ASSETS.get(name)
    return FileResponse(path, headers={"cache-control": "public, max-age=3600"}) if path else None
