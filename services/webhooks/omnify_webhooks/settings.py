"""Settings of the webhooks service (`WEBHOOKS_…`); times in seconds, sizes in bytes."""

from typing import ClassVar, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from omnify_shared.settings import Settings

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
LADDER = (0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)


class WebhooksSettings(Settings):
    """How deliveries are made and tried again, and what is taken in."""

    model_config = SettingsConfigDict(env_prefix="WEBHOOKS_", frozen=True, extra="ignore", populate_by_name=True)
    app_id: ClassVar[str] = "webhooks"

    # Waits before each attempt, the first included: ten attempts over 75 h 35 min (the example of Standard Webhooks).
    ladder: tuple[float, ...] = Field(default=LADDER, min_length=1)
    jitter: float = Field(default=0.2, ge=0, lt=1)  # share of a wait, up or down
    connect_timeout: float = Field(default=5, gt=0)
    timeout: float = Field(default=15, gt=0)
    # How long an attempt in hand is nobody else's; longer than an attempt and its wait in a lane.
    lease: float = Field(default=60, gt=0)
    poll_interval: float = Field(default=1, gt=0)
    per_endpoint: int = Field(default=8, ge=1)  # attempts under way at once, per endpoint and replica
    at_once: int = Field(default=256, ge=1)  # and in all
    # After so many failures in a row an endpoint rests, for `breaker_wait` and then twice as long each time.
    breaker_failures: int = Field(default=10, ge=1)
    breaker_wait: float = Field(default=30, gt=0)
    breaker_longest: float = Field(default=10 * MINUTE, gt=0)
    disable_after: float = Field(default=120 * HOUR, gt=0)  # of failures only
    rotation_overlap: float = Field(default=24 * HOUR, ge=0)  # both secrets sign
    retention: float = Field(default=30 * DAY, gt=0)
    max_payload: int = Field(default=256 * 1024, gt=0)
    endpoints_per_organization: int = Field(default=50, ge=1)
    connections_per_organization: int = Field(default=100, ge=1)
    # Ports that an endpoint may have, and targets that are exempt from the guard (`host:port`, plain http allowed too):
    # for development and tests, refused in production.
    ports: frozenset[int] = frozenset({443})
    exempt_targets: frozenset[str] = frozenset()
    # Requests of one connection per minute and replica.
    receive_per_minute: int = Field(default=6000, ge=1)
    tolerance: float = Field(default=300, gt=0)  # how old or early a signed timestamp may be

    @model_validator(mode="after")
    def _guarded_in_production(self) -> Self:
        if self.environment == "production" and self.exempt_targets:
            raise ValueError(
                "WEBHOOKS_EXEMPT_TARGETS is for development and tests: in production it would open the inside"
            )
        return self

    @model_validator(mode="after")
    def _lease_outlasts_an_attempt(self) -> Self:
        if self.lease <= self.timeout:
            raise ValueError("WEBHOOKS_LEASE must be longer than WEBHOOKS_TIMEOUT: an attempt would be made twice")
        return self
