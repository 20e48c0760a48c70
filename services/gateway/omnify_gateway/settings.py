"""Settings of the gateway (`GATEWAY_…`); sizes in bytes, times in seconds."""

from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from omnify_shared.settings import Settings


class GatewaySettings(Settings):
    """What the gateway allows its callers; the routes themselves are data in `table.py`."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", frozen=True, extra="ignore", populate_by_name=True)
    app_id: ClassVar[str] = "gateway"
    public: ClassVar[bool] = True

    # Web origins that may call the API from a browser, as a JSON list; none by default.
    cors_origins: tuple[str, ...] = ()
    # Proxies in front of the gateway whose X-Forwarded-For and X-Forwarded-Proto entries are believed.
    trusted_hops: int = Field(default=0, ge=0, le=8)
    # "auto" asks the sidecar whether an HTTPEndpoint of that name is declared.
    monolith: Literal["auto", "on", "off"] = "auto"
    monolith_endpoint: str = Field(default="monolith", pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    # The sidecar refuses more than about 8 KiB of headers (its read buffer plus 4 KiB); it adds some of its own.
    max_header_bytes: int = Field(default=7 * 1024, ge=1024)
    max_connections: int = Field(default=512, ge=1)
    # Longest silence inside a streamed answer, and between two pieces of an upload.
    idle_timeout: float = Field(default=60, gt=0)
    # No request may take longer to be answered, whatever its route allows.
    max_seconds: float = Field(default=300, gt=0)
    openapi_ttl: float = Field(default=60, ge=0)
