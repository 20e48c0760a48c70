"""What the routes take and answer with."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from omnify_files.kinds import Purpose
from omnify_files.records import FileRecord, Reason, State, Variant


class VariantOut(BaseModel):
    """Something of a file that can be downloaded. `size` is in bytes, `sha256` in hexadecimal."""

    media_type: str
    size: int
    sha256: str


class FileOut(BaseModel):
    """A file and how far it is: `offset` of `length` bytes have come; `step` is what is done with it right now.

    `detail` says why it waits, or for people why it was refused. `facts` depend on its kind: width, height, frames,
    pages, entries, unpacked, lines, boxes.
    """

    file_id: str
    filename: str
    purpose: Purpose
    kind: str
    state: State
    step: str | None
    reason: Reason | None
    detail: str | None
    offset: int
    length: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    facts: dict[str, int]
    variants: dict[Variant, VariantOut]

    @classmethod
    def of(cls, file: FileRecord) -> "FileOut":
        """From the record."""
        variants = {
            name: VariantOut(media_type=one.media_type, size=one.size, sha256=one.sha256)
            for name, one in file.contents.items()
        }
        shown = file.model_dump(include=set(cls.model_fields) - {"variants"})
        return cls(**shown, variants=variants)


class FilePage(BaseModel):
    """Files, newest first. A page may hold fewer than asked for, even none, while there is a next one."""

    files: list[FileOut]
    next_cursor: str | None


class QuotaOut(BaseModel):
    """What an organisation takes and may take, in files and bytes."""

    files: int
    bytes: int
    max_files: int
    max_bytes: int


class LinkIn(BaseModel):
    """What to download."""

    model_config = ConfigDict(extra="forbid")

    variant: Variant = "content"


class LinkOut(BaseModel):
    """Where to download it, by GET and without a token, until `expires_at`."""

    url: str
    expires_at: datetime


class FilesQuery(BaseModel):
    """Which files to list."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose | None = None
    cursor: Annotated[str | None, Field(max_length=20)] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


class LinkQuery(BaseModel):
    """The query of a download link."""

    model_config = ConfigDict(extra="forbid")

    organization: Annotated[str, Field(max_length=64)]
    variant: Variant
    expires: Annotated[int, Field(ge=0, le=2**40)]
    signature: Annotated[str, Field(max_length=128)]
