"""Events of the analytics service. Topic: `analytics-events`; subject: the import's id."""

from datetime import date

from omnify_shared.erasure import ErasureReceipt
from omnify_shared.events import EventData


class ImportCompleted(EventData, type="omnify.analytics.import.completed.v1"):
    """An order file was taken in; its orders count from now on. `subject` is the import's id."""

    import_id: str
    organization_id: str
    rows_accepted: int
    rows_rejected: int
    orders: int
    first_day: date
    last_day: date
    currency: str


class ImportFailed(EventData, type="omnify.analytics.import.failed.v1"):
    """An order file could not be taken in; none of it counts. `subject` is the import's id.

    `user_id` sent the file, and is to be told; empty once they were erased, and in events of the first release.
    """

    import_id: str
    organization_id: str
    user_id: str = ""
    reason: str


class ErasureCompleted(ErasureReceipt, type="omnify.analytics.erasure.completed.v1"):
    """Analytics has deleted what it held of a user or an organisation. `subject` is the erasure's id."""


EVENTS = (ImportCompleted, ImportFailed, ErasureCompleted)
