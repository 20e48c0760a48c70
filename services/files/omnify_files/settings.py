"""Settings of the files service (`FILES_…`)."""

from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from omnify_shared.settings import Settings


class FilesSettings(Settings):
    """Sizes are bytes. Quotas count what an organisation is uploading and what it keeps, in bytes and in files; its
    `upload_rate` is how many uploads it may begin in an hour.

    `clamd_url` is `tcp://host:port`; without it files stay in quarantine. A lease says which replica works on a file;
    an expired one is taken over. `announce_lease` is what the making of an upload may need from its first write to its
    last; whatever is left of one that took longer is dropped.
    """

    model_config = SettingsConfigDict(env_prefix="FILES_")
    app_id: ClassVar[str] = "files"

    clamd_url: str | None = None
    scan_timeout: timedelta = Field(default=timedelta(seconds=150), gt=timedelta(0))
    inspect_timeout: timedelta = Field(default=timedelta(seconds=90), gt=timedelta(0))
    quota_bytes: int = Field(default=10 * 1024**3, gt=0)
    quota_files: int = Field(default=5000, gt=0, le=20_000)
    upload_rate: int = Field(default=2000, gt=0)
    upload_life: timedelta = Field(default=timedelta(hours=24), gt=timedelta(0))
    announce_lease: timedelta = Field(default=timedelta(minutes=1), gt=timedelta(0))
    link_life: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0), le=timedelta(hours=1))
    jobs_at_once: int = Field(default=2, gt=0)
    lease: timedelta = Field(default=timedelta(seconds=20), gt=timedelta(0))
    poll_interval: timedelta = Field(default=timedelta(seconds=2), gt=timedelta(0))
    retry_first: timedelta = Field(default=timedelta(seconds=5), gt=timedelta(0))
    retry_longest: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))

    @field_validator("clamd_url", mode="before")
    @classmethod
    def _blank_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("clamd_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        parts = urlsplit(value) if value else None
        if parts and not (parts.scheme == "tcp" and parts.hostname and parts.port):
            raise ValueError("the scanner's address must look like tcp://host:port")
        return value

    @property
    def clamd(self) -> tuple[str, int] | None:
        """Host and port of the scanner."""
        parts = urlsplit(self.clamd_url) if self.clamd_url else None
        return (str(parts.hostname), int(parts.port or 0)) if parts else None
