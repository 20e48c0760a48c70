"""Bodies of `/api/audit`."""

from datetime import datetime

from pydantic import Field, JsonValue

from omnify_auth.schemas.types import Input, Output


class PageIn(Input):
    """The query of a page."""

    cursor: str | None = Field(default=None, pattern=r"^[0-9]{1,12}$", description="`next_cursor` of the page before.")
    limit: int = Field(default=50, ge=1, le=200)


class EntryOut(Output):
    """`hash` is SHA-256 (hex) over the other members as JSON with sorted keys, no spaces, in UTF-8."""

    sequence: int
    event_id: str
    type: str
    time: datetime
    recorded_at: datetime
    user_id: str | None
    actor_id: str | None
    data: dict[str, JsonValue]
    previous: str = Field(description="The hash of the entry before; 64 zeros for the first.")
    hash: str


class EntriesOut(Output):
    entries: tuple[EntryOut, ...] = Field(description="Newest first.")
    next_cursor: str | None


class VerdictOut(Output):
    valid: bool
    entries: int = Field(description="How many hold, from the first on.")
    head: str = Field(description="The hash of the last of them; note it elsewhere to notice a chain cut short.")
    broken_at: int | None = Field(description="The number of the first entry that does not hold.")
    reason: str | None
