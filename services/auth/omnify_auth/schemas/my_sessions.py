"""Bodies of `/api/sessions`."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import Field, model_validator

from omnify_auth.schemas.types import Input, Output


class SessionOut(Output):
    session_id: str
    device_id: str = Field(description="The same for the same program on the same system, whatever their versions.")
    device_info: str | None = Field(description="The program and the system in words; null for unknown ones.")
    user_agent: str | None
    network: str | None = Field(
        description="Where from, as the /24 (IPv4) or /48 (IPv6) of the address; the address itself is not kept."
    )
    created_at: datetime
    last_activity: datetime = Field(description="The last sign-in, step-up or exchange of a refresh token.")
    expires_at: datetime = Field(description="When it ends at the latest.")
    idle_expires_at: datetime = Field(description="When it ends unless its refresh token is exchanged before.")
    is_current: bool = Field(description="Whether it is the session of this request.")


class SessionsOut(Output):
    sessions: tuple[SessionOut, ...] = Field(description="Newest first.")
    count: int


class EndedOut(Output):
    count: int = Field(description="How many sessions ended.")


class SessionPolicyIn(Input):
    idle_minutes: int = Field(ge=5, le=43_200, description="Without an exchange of the refresh token.")
    overall_minutes: int = Field(ge=15, le=43_200, description="Since the sign-in.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.idle_minutes > self.overall_minutes:
            raise ValueError("idle_minutes must not be more than overall_minutes")
        return self


class SessionPolicyOut(Output):
    idle_minutes: int
    overall_minutes: int

    @classmethod
    def of(cls, idle: timedelta, overall: timedelta) -> Self:
        return cls(idle_minutes=int(idle.total_seconds() // 60), overall_minutes=int(overall.total_seconds() // 60))
