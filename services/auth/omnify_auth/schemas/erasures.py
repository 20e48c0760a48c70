"""Bodies of an account's end."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from omnify_auth.addresses import EmailAddress
from omnify_auth.schemas.types import Input, Output


class ErasureIn(Input):
    email: Annotated[EmailAddress, Field(description="The account's address, typed to show that this is meant.")]


class ErasureAskedOut(Output):
    erasure_id: str
    status_token: str = Field(description="Shown this once: `GET /api/auth/erasures/{id}` asks for it.")
    organizations: tuple[str, ...] = Field(description="Those that nobody else belonged to; they are deleted, too.")


class ErasedServiceOut(Output):
    service: str
    completed_at: datetime | None = Field(description="Null while its receipt is missing.")
    counts: dict[str, int] = Field(description="How much of what it deleted.")


class ErasureOut(Output):
    erasure_id: str
    status: Literal["erasing", "erased"]
    asked_at: datetime
    reminded_at: datetime | None = Field(description="When services were last asked again.")
    ended_at: datetime | None
    services: tuple[ErasedServiceOut, ...]
