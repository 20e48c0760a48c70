"""Settings of the analytics service (`ANALYTICS_…`)."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from omnify_shared.settings import Settings


class AnalyticsSettings(Settings):
    """Sizes are bytes; a whole upload must fit into the sidecars' `maxBodySize` of 64 MiB.

    A lease says which replica works on an import; an expired one is taken over.
    """

    model_config = SettingsConfigDict(env_prefix="ANALYTICS_")
    app_id: ClassVar[str] = "analytics"

    max_file_bytes: int = Field(default=60 * 1024 * 1024, gt=0)
    imports_at_once: int = Field(default=2, gt=0)
    lease: timedelta = Field(default=timedelta(seconds=15), gt=timedelta(0))
    recover_every: timedelta = Field(default=timedelta(seconds=3), gt=timedelta(0))
    facts_per_write: int = Field(default=100, gt=0, le=1000)
    cached_orders: int = Field(default=2_000_000, gt=0)
