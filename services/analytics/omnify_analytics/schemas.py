"""What the API answers. Money is a decimal string in the currency's minor units; a ratio without a base is null."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from omnify_analytics.orders.options import ImportOptions

Granularity = Literal["day", "week", "month"]
CohortGranularity = Literal["week", "month"]
ImportState = Literal["queued", "running", "completed", "failed"]


class Answer(BaseModel):
    """Base of the output models: frozen, and without defaults."""

    model_config = ConfigDict(frozen=True)


class ImportAccepted(Answer):
    """The id under which an upload is being imported, or was imported before."""

    import_id: str


class RejectedLine(Answer):
    """A line that was not taken, counted from 1 at the top of the file, and why."""

    line: int
    reason: str


class ImportSummary(Answer):
    """One import. `progress` goes from 0 to 1; `rows_read` counts records, without the header and blank lines."""

    import_id: str
    status: ImportState
    progress: float
    rows_read: int
    rows_accepted: int
    rows_rejected: int
    filename: str | None
    created_at: datetime
    completed_at: datetime | None
    failure: str | None


class ImportStatus(ImportSummary):
    """One import with what was asked and the first rejected lines; `rejections_truncated` when there are more."""

    options: ImportOptions
    rejections: list[RejectedLine]
    rejections_truncated: bool


class ImportPage(Answer):
    """Imports, newest first."""

    imports: list[ImportSummary]
    next_cursor: str | None


class Period(Answer):
    """A day (1997-01-31), an ISO week (1997-W05) or a month (1997-01), cut to the asked range.

    `customers` ordered in it; `new_customers` placed the first order of their life in it.
    """

    period: str
    revenue: str
    orders: int
    customers: int
    new_customers: int


class Overview(Answer):
    """Sales of an organisation in a range of days, both ends included.

    `aov` is revenue / orders. `repeat_rate` is orders by returning customers / orders, where an order is by a
    returning customer when it is not that customer's first order ever in the organisation. `as_of` is when the last
    import was taken in. `series` has every period of the range, empty ones too.
    """

    currency: str | None
    revenue: str
    orders: int
    customers: int
    new_customers: int
    aov: str | None
    repeat_rate: float | None
    as_of: datetime | None
    series: list[Period]


class Cohort(Answer):
    """Customers by the period of their first order.

    `retention[k]` is the share of them that ordered k periods later; the list ends with the last period that has any
    order of the organisation, so what has not happened yet is absent, not zero.
    """

    cohort: str
    size: int
    retention: list[float]


class Cohorts(Answer):
    """All cohorts that have customers, oldest first."""

    cohorts: list[Cohort]
    as_of: datetime | None
