"""What the analytics service stores."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from omnify_analytics.orders.options import ImportOptions
from omnify_analytics.schemas import ImportState, RejectedLine


class Stored(BaseModel):
    """Base of the stored models: frozen; a change makes a new value."""

    model_config = ConfigDict(frozen=True)


class Lease(Stored):
    """The replica that works on an import, and until when it may be silent."""

    owner: str
    until: datetime


class Import(Stored):
    """An order file and how far it got. `file` is the SHA-256 of its bytes, `chunks` how many pieces of it are kept.

    `replaces` are imports of the same bytes with other options, which no longer count.
    """

    import_id: str
    organization_id: str
    created_by: str
    created_at: datetime
    filename: str | None
    file: str
    chunks: int
    options: ImportOptions
    status: ImportState = "queued"
    progress: float = 0.0
    rows_read: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    rejections: list[RejectedLine] = []
    failure: str | None = None
    completed_at: datetime | None = None
    replaces: list[str] = []
    lease: Lease | None = None
    attempts: int = 0

    @property
    def ended(self) -> bool:
        """Whether it is completed or failed."""
        return self.status in ("completed", "failed")

    def leased(self, owner: str, now: datetime, length: timedelta) -> Self:
        """As taken on by `owner`."""
        lease = Lease(owner=owner, until=now + length)
        return self.model_copy(update={"status": "running", "lease": lease, "attempts": self.attempts + 1})


class FileClaim(Stored):
    """The import that a file's bytes belong to."""

    import_id: str


class OpenImports(Stored):
    """Imports not yet cleaned up after: pairs of organisation and import id."""

    imports: list[tuple[str, str]] = []


class Committed(Stored):
    """An import that counts."""

    import_id: str
    file: str


class Ledger(Stored):
    """What counts for an organisation, in the order in which it was taken in. Writing it is the commit of an import."""

    currency: str | None = None
    as_of: datetime | None = None
    imports: list[Committed] = []
    closed: bool = False
    """The organisation was deleted: nothing is counted for it any more. All that stays of it."""


class FactPiece(Stored):
    """Where orders of one day lie: `piece` numbers the documents of that day, `size` is in bytes."""

    day: date
    piece: int
    size: int


class Manifest(Stored):
    """All fact documents of an import, oldest day first."""

    pieces: list[FactPiece]


@dataclass(frozen=True, slots=True)
class DayFacts:
    """Orders of one day as columns of the same length; amounts are whole numbers of 10^-SCALE units (see `metrics`).

    `v` is the schema version.
    """

    v: Literal[1]
    customers: list[str]
    amounts: list[int]
    orders: list[str] | None
    quantities: list[int | None] | None
