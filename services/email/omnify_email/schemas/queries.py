"""Query parameters; unknown ones are refused, as a typo would otherwise widen a search."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from omnify_email.catalogue import Category
from omnify_email.schemas.types import Address

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _day(value: Any) -> Any:
    """Only `YYYY-MM-DD`; pydantic would take timestamps as well."""
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("a date like 2026-11-23")
    return value


Day = Annotated[date, BeforeValidator(_day)]


class Query(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    cursor: Annotated[str, StringConstraints(max_length=60)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class MessagesQuery(Query):
    """A search through an organisation's mails."""

    status: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,20}$")] | None = None
    to: Address | None = None
    category: Category | None = None
    since: Annotated[Day | None, Field(alias="from")] = None
    until: Day | None = None


class SuppressionsQuery(Query):
    """An organisation's suppressions, or that of one address."""

    to: Address | None = None
