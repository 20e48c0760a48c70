"""Settings of the auth service (`AUTH_…`), with floors that hold everywhere but in development."""

import os
from datetime import timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from omnify_shared.settings import Settings

_FLOORS: dict[str, Any] = {
    "password_min_length": 15,
    "hash_memory_kib": 19_456,
    "hash_time_cost": 2,
    "guesses_wait": timedelta(seconds=30),
}
_CEILINGS: dict[str, Any] = {
    "password_max_length": 256,
    "session_idle": timedelta(days=14),
    "session_overall": timedelta(days=30),
    "refresh_grace": timedelta(seconds=10),
    "code_ttl": timedelta(seconds=60),
    "offline_idle": timedelta(days=14),
    "offline_overall": timedelta(days=30),
    "key_rotation": timedelta(days=1),
    "verification_ttl": timedelta(hours=1),
    "challenge_ttl": timedelta(minutes=5),
    "mfa_grace": timedelta(days=7),
    "reset_ttl": timedelta(minutes=30),
    "invitation_ttl": timedelta(hours=72),
    "guesses_free": 5,
    "guesses_ceiling": 100,
}


class AuthSettings(Settings):
    """Figures are those of NIST SP 800-63B-4, OWASP's password storage guide and RFC 9700; see the README."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
    app_id: ClassVar[str] = "auth"

    password_min_length: int = Field(default=15, ge=8)
    password_max_length: int = Field(default=256, ge=64)
    hash_memory_kib: int = Field(default=19_456, ge=8)
    hash_time_cost: int = Field(default=2, ge=1)
    hash_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    hash_queue: int = Field(default=64, ge=0)

    guesses_free: int = Field(default=5, ge=1)
    guesses_wait: timedelta = timedelta(seconds=30)
    guesses_longest_wait: timedelta = timedelta(hours=1)
    guesses_ceiling: int = Field(default=100, ge=1)

    verification_ttl: timedelta = timedelta(hours=1)
    unverified_ttl: timedelta = timedelta(days=7)
    reset_ttl: timedelta = timedelta(minutes=30)
    letter_ttl: timedelta = timedelta(days=2)
    invitation_ttl: timedelta = timedelta(hours=72)
    mails_per_window: int = Field(default=5, ge=1)
    mails_window: timedelta = timedelta(minutes=10)
    mails_per_day: int = Field(default=20, ge=1)

    erasure_patience: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0))
    """How long services may take to delete what is erased before they are asked again."""
    erasure_looks: timedelta = Field(default=timedelta(seconds=2), gt=timedelta(0))
    """How often open erasures are looked through."""

    challenge_ttl: timedelta = timedelta(minutes=5)
    mfa_grace: timedelta = timedelta(days=7)
    passkey_rp_id: str = "localhost"
    """The domain that passkeys are bound to: the public address' host, or a parent of it."""
    passkey_origins: tuple[str, ...] = ("http://localhost:8000",)
    """Where pages that use passkeys are served from."""
    passkey_requests: int = Field(default=60, ge=1)
    """Sign-ins by passkey that one client address may begin in a minute."""
    totp_setup_ttl: timedelta = timedelta(minutes=15)

    access_token_ttl: timedelta = Field(default=timedelta(minutes=5), gt=timedelta(0), le=timedelta(minutes=5))
    session_idle: timedelta = timedelta(hours=1)
    session_overall: timedelta = timedelta(hours=24)
    sessions_per_user: int = Field(default=10, ge=1)
    refresh_grace: timedelta = timedelta(seconds=10)
    code_ttl: timedelta = timedelta(seconds=60)
    offline_idle: timedelta = timedelta(days=14)
    offline_overall: timedelta = timedelta(days=30)
    key_rotation: timedelta = timedelta(hours=24)
    key_published_early: timedelta = timedelta(hours=1)

    @property
    def issuer(self) -> str:
        """The issuer of ID tokens, and where the endpoints for apps are: the public address."""
        return self.public_url.rstrip("/")

    @property
    def page_origins(self) -> frozenset[str]:
        """Where our pages are seen, and so where their forms come from: the public address, and where passkeys work."""
        parts = urlsplit(self.public_url)
        return frozenset({f"{parts.scheme}://{parts.netloc}", *self.passkey_origins})

    @model_validator(mode="after")
    def _safe_outside_development(self) -> Self:
        if self.environment == "development":
            return self
        low = [name for name, floor in _FLOORS.items() if getattr(self, name) < floor]
        high = [name for name, ceiling in _CEILINGS.items() if getattr(self, name) > ceiling]
        if low or high:
            names = ", ".join(f"AUTH_{name.upper()}" for name in low + high)
            raise ValueError(f"refused outside development: {names} is weaker than the safe value")
        return self

    @model_validator(mode="after")
    def _passkeys_belong_to_the_public_address(self) -> Self:
        if self.environment == "production":
            host = urlsplit(self.public_url).hostname or ""
            if not _within(host, self.passkey_rp_id):
                raise ValueError("AUTH_PASSKEY_RP_ID must be the host of OMNIFY_PUBLIC_URL, or a domain it is in")
            if not all(_within(urlsplit(origin).hostname or "", self.passkey_rp_id) for origin in self.passkey_origins):
                raise ValueError("AUTH_PASSKEY_ORIGINS must be within AUTH_PASSKEY_RP_ID")
        return self

    @model_validator(mode="after")
    def _keys_known_before_they_sign(self) -> Self:
        if not 2 * JWKS_MAX_AGE <= self.key_published_early < self.key_rotation:
            raise ValueError("AUTH_KEY_PUBLISHED_EARLY must be twice the JWKS max-age or more, and below the rotation")
        return self


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


JWKS_MAX_AGE = timedelta(minutes=5)
CLOCK_LEEWAY = timedelta(seconds=60)
