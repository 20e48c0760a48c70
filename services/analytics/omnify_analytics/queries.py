"""What may be asked in a query string; anything else is refused."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from omnify_analytics.schemas import CohortGranularity, Granularity

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(value: Any) -> Any:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("is not a day such as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_day)]


class Query(BaseModel):
    """Base of the queries."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OverviewQuery(Query):
    """Days are calendar days as the order file wrote them; both ends are included."""

    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    granularity: Granularity = "day"


class CohortsQuery(Query):
    """The length of a cohort's period."""

    granularity: CohortGranularity = "month"


class ImportsQuery(Query):
    """A page of a list."""

    cursor: str | None = None
    limit: int = Field(default=50, ge=1, le=200)
