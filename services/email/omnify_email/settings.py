"""Settings of the email service (`EMAIL_…`); times in seconds."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from omnify_shared.settings import Settings

Provider = Literal["smtp", "sendgrid", "sandbox"]
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class EmailSettings(Settings):
    """Who the mails are from, and how they leave."""

    model_config = SettingsConfigDict(env_prefix="EMAIL_", frozen=True, extra="ignore", populate_by_name=True)
    app_id: ClassVar[str] = "email"

    provider: Provider = "smtp"
    # Asked when the provider has surely not taken a mail.
    fallback: Provider | None = None
    sender_address: str = Field(default="no-reply@omnify.localhost", pattern=r"^[^@\s<>\"]+@[A-Za-z0-9.-]+$")
    sender_name: str = Field(default="Omnify", pattern=r"^[^\r\n<>\"]{1,64}$")
    # smtp://, or smtps:// for TLS from the first byte. `?starttls=required|never` overrides the rule of `Smtp`.
    smtp_url: str = Field(default="smtp://127.0.0.1:1025", validation_alias="OMNIFY_SMTP_URL", repr=False)
    sendgrid_url: str = "https://api.sendgrid.com"
    # Together below the 10 s that the sidecar gives a handler.
    fetch_timeout: float = Field(default=3, gt=0)
    send_timeout: float = Field(default=5, gt=0)
    # How often mails that wait for another try are looked through.
    poll_interval: float = Field(default=2, gt=0)

    # How long a provider is given to tell of a mail that it may have taken before it is sent again: mails that
    # organisations asked for, and security mails, which may not come late.
    outcome_wait: float = Field(default=900, ge=0)
    security_outcome_wait: float = Field(default=120, ge=0)

    # Mails that an organisation may ask for within an hour, and test mails of one person within one.
    organization_rate: int = Field(default=2000, gt=0)
    test_rate: int = Field(default=10, gt=0)
    # What a sender's domain has to name: who sends for it, and where bounces come back to.
    spf_include: str = "spf.omnify.localhost"
    return_path_host: str = "bounces.omnify.localhost"
    # `host:port`, parted by spaces; the system's resolvers when empty.
    dns_servers: str = ""
    dns_timeout: float = Field(default=5, gt=0)

    @field_validator("smtp_url")
    @classmethod
    def _usable(cls, url: str) -> str:
        Smtp.parse(url)
        return url

    @property
    def smtp(self) -> "Smtp":
        """The mail server."""
        return Smtp.parse(self.smtp_url)


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server's address.

    STARTTLS is required for `smtp://` unless the server is on this machine; a user name and password are never sent
    in the clear to another machine.
    """

    host: str
    port: int
    login: tuple[str, str] | None = field(repr=False)
    implicit_tls: bool
    starttls: bool

    @classmethod
    def parse(cls, url: str) -> "Smtp":
        """Reads `smtp[s]://user:password@host:port`. Raises ValueError, never with the URL in its text."""
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise ValueError("the SMTP URL must look like smtp[s]://user:password@host:port")
        implicit = parts.scheme == "smtps"
        local = parts.hostname in _LOOPBACK
        wish = parse_qs(parts.query).get("starttls", ["never" if local else "required"])[0]
        if wish not in {"required", "never"}:
            raise ValueError("starttls must be 'required' or 'never'")
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        starttls = not implicit and wish == "required"
        if login and not local and not (implicit or starttls):
            raise ValueError("a password would be sent in the clear: use smtps:// or STARTTLS")
        port = parts.port or (465 if implicit else 587)
        return cls(host=parts.hostname, port=port, login=login, implicit_tls=implicit, starttls=starttls)
