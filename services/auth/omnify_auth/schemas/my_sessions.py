"""Bodies of `/api/sessions`."""

from datetime import datetime

from pydantic import Field

from omnify_auth.schemas.types import Output


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
