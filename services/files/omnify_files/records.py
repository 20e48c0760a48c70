"""The documents of the files service."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel

from omnify_files.kinds import Purpose
from omnify_shared import clock

State = Literal["uploading", "quarantined", "scanning", "ready", "refused", "cancelled", "deleted"]
Variant = Literal["content", "thumbnail", "text"]
Reason = Literal[
    "expired",
    "type-differs",
    "polyglot",
    "malware",
    "not-scanned-whole",
    "too-many-pixels",
    "archive-too-large",
    "archive-entry",
    "active-content",
    "unreadable",
    "damaged",
]


class Stored(BaseModel):
    """What a document of this service is."""


class Part(Stored):
    """A stored piece of a content: `tag` names who wrote it, `index` its place, `size` is in bytes."""

    tag: str
    index: int
    size: int
    sha256: str


class Span(Stored):
    """Places that a writer may have written to, both ends included, whether or not anything came of it."""

    tag: str
    first: int
    last: int


class Content(Stored):
    """Something to download: its type, size in bytes, SHA-256 in hexadecimal, and where its bytes are."""

    media_type: str
    extension: str
    size: int
    sha256: str
    parts: list[Part]

    @property
    def etag(self) -> str:
        """Its strong tag (RFC 9110 §8.8.3)."""
        return f'"{self.sha256}"'


class Lease(Stored):
    """The replica that works on a file, and until when it may be silent."""

    owner: str
    until: datetime


class FileRecord(Stored):
    """One file, from its first byte to its last trace.

    While it is uploaded, `attempt` numbers the requests that brought bytes (the newest alone may add to it), `writing`
    is where that one may be writing, and `parts` are the bytes so far. `litter` is what has to be dropped with it.
    """

    file_id: str
    organization_id: str
    created_by: str | None
    created_at: datetime
    expires_at: datetime
    filename: str
    purpose: Purpose
    kind: str
    length: int
    metadata: str = ""
    state: State = "uploading"
    step: str | None = None
    reason: Reason | None = None
    detail: str | None = None
    offset: int = 0
    attempt: int = 0
    writing: Span | None = None
    parts: list[Part] = []
    litter: list[Span] = []
    contents: dict[Variant, Content] = {}
    facts: dict[str, int] = {}
    lease: Lease | None = None
    tries: int = 0
    ended_at: datetime | None = None
    purged: bool = False

    @property
    def in_work(self) -> bool:
        """Whether it is complete and not yet judged."""
        return self.state in ("quarantined", "scanning")

    @property
    def size(self) -> int:
        """Bytes that it takes from the organisation's quota."""
        return sum(content.size for content in self.contents.values()) if self.contents else self.length

    def emptied(self) -> Self:
        """As deleted: nothing that says anything about anybody stays."""
        gone: dict[str, object] = {
            "filename": "deleted",
            "metadata": "",
            "created_by": None,
            "facts": {},
            "detail": None,
        }
        return self.model_copy(update=gone | {"state": "deleted", "step": None, "lease": None, "ended_at": clock.now()})


class Usage(Stored):
    """What each file of an organisation takes of its quota, in bytes, by file id. A `closed` one takes no more."""

    sizes: dict[str, int] = {}
    closed: bool = False

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes.values())


class Due(Stored):
    """Files of one shard that somebody has to look at, by `<organisation>/<file>`, and when."""

    due: dict[str, datetime] = {}
