"""Ada's apps and API keys, in the golden files."""

from datetime import timedelta
from typing import Any

from omnify_local.journey import Marketer
from omnify_shared import clock


def with_apps(ada: Marketer) -> dict[str, Any]:
    """Registers, changes and takes away apps, and makes API keys; what the apps keep for themselves."""
    wanted = {"name": "Reports", "grant_types": ["client_credentials"], "scopes": ["analytics:view", "campaign:view"]}
    kept = ada.ask("POST", "/api/oauth/clients", 201, json=wanted)
    path = f"/api/oauth/clients/{kept['client_id']}"
    ada.ask("PATCH", path, 200, json={"scopes": ["analytics:view"]})
    rotated = ada.ask("POST", f"{path}/secret", 200, json={})
    gone = ada.ask("POST", "/api/oauth/clients", 201, json=wanted)
    ada.ask("DELETE", f"/api/oauth/clients/{gone['client_id']}", 204)
    key = {
        "name": "Nightly",
        "scopes": ["analytics:view"],
        "expires_at": (clock.now() + timedelta(days=360)).isoformat(),
    }
    made, revoked = (ada.ask("POST", "/api/api-keys", 201, json=key) for _ in range(2))
    ada.ask("DELETE", f"/api/api-keys/{revoked['key_id']}", 204)
    return {"client_id": kept["client_id"], "client_secret": rotated["client_secret"], "api_key": made["api_key"]}
