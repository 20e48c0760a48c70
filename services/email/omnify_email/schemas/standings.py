"""Suppressions and preferences."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from omnify_email.catalogue import Choice
from omnify_email.records import Standing
from omnify_email.schemas.types import Address
from omnify_email.service.standings import reasons_of
from omnify_shared import clock


class SuppressionsIn(BaseModel):
    """Addresses that the organisation does not want to write to any more."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    emails: Annotated[list[Address], Field(min_length=1, max_length=50)]
    note: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f]*$")] | None = None


class ReasonOut(BaseModel):
    """`bounce`, `complaint`, `manual`, or `unsubscribed:<category>`."""

    reason: str
    at: datetime
    until: datetime | None


class SuppressionOut(BaseModel):
    """An address, masked, and why mail does not go there. `suppression_id` stands for the address."""

    suppression_id: str
    to: str
    reasons: list[ReasonOut]

    @classmethod
    def of(cls, standing: Standing) -> "SuppressionOut":
        """From the record."""
        reasons = [ReasonOut(reason=why, at=at, until=until) for why, at, until in reasons_of(standing, clock.now())]
        return cls(suppression_id=standing.address_key, to=standing.shown, reasons=reasons)


class SuppressionsOut(BaseModel):
    """A page of suppressions, newest first; one may be shorter and yet have a next one."""

    suppressions: list[SuppressionOut]
    next_cursor: str | None


class PreferencesIn(BaseModel):
    """What to get and what not; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    categories: dict[Choice, StrictBool]


class PreferencesOut(BaseModel):
    """What goes to an address, or to those who have chosen nothing; other categories are no choice."""

    categories: dict[Choice, StrictBool]
