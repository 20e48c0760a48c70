"""Uploads: made, asked about, and continued, by whichever request comes last."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final, get_args

from omnify_files.blobs import CHUNK, Blobs
from omnify_files.errors import (
    BadUpload,
    FileTooLarge,
    NoRight,
    OffsetDiffers,
    OrganizationGone,
    QuotaReached,
    RefusedFile,
    UnknownFile,
    UploadGone,
)
from omnify_files.kinds import MAX_SIZE, RULES, Purpose
from omnify_files.metrics import FileMetrics
from omnify_files.names import checked_name
from omnify_files.records import FileRecord, Span, Usage
from omnify_files.settings import FilesSettings
from omnify_files.store import FileStore
from omnify_files.tus import Checksum
from omnify_files.writing import Writer
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.faults import point, reach
from omnify_shared.identity import Principal
from omnify_shared.ids import new_id
from omnify_shared.problems import TooManyRequests
from omnify_shared.ratelimits import RateLimits

NOTED: Final = point("files.upload.noted")
RESERVED: Final = point("files.upload.reserved")
LISTED: Final = point("files.upload.listed")
CREATED: Final = point("files.upload.created")
TAKEN: Final = point("files.upload.taken")

HOUR: Final = timedelta(hours=1)
MAX_ATTEMPTS: Final = 5000  # requests that bring bytes of one file


class Uploads:
    """The uploads of all organisations. Every method raises SidecarUnavailable while the store is down."""

    def __init__(
        self, store: FileStore, blobs: Blobs, limits: RateLimits, settings: FilesSettings, metrics: FileMetrics
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._limits = limits
        self._settings = settings
        self._metrics = metrics

    async def create(self, caller: Principal, length: int, metadata: dict[str, str], raw: str) -> FileRecord:
        """A new upload of `length` bytes.

        Raises: BadUpload, RefusedFile, FileTooLarge, QuotaReached, OrganizationGone, NoRight, TooManyRequests; none
        leaves anything.
        """
        file = self._new(caller, length, metadata, raw)
        try:
            await self._limits.hit("uploads", file.organization_id, limit=self._settings.upload_rate, window=HOUR)
            await self._reserve(file)
        except (TooManyRequests, QuotaReached) as refusal:
            self._metrics.announced("quota" if isinstance(refusal, QuotaReached) else "rate")
            raise
        key = file.organization_id, file.file_id
        await self._store.of_users.note(caller.user_id, *key)
        await self._store.listed.add(*key)
        reach(LISTED)
        await self._store.files.create(*key, value=file, fresh=True)
        reach(CREATED)
        self._metrics.announced("taken")
        return file

    async def _reserve(self, file: FileRecord) -> None:
        key = file.organization_id, file.file_id
        await self._store.look_at(key, min(clock.now() + self._settings.announce_lease, file.expires_at))
        reach(NOTED)
        try:
            await self._store.reserve(*key, file.length, lambda usage: self._check_room(usage, file.length))
        except (QuotaReached, OrganizationGone):
            await self._store.done_with(key)
            raise
        reach(RESERVED)

    def _new(self, caller: Principal, length: int, metadata: dict[str, str], raw: str) -> FileRecord:
        purpose = purpose_of(metadata.get("purpose"))
        if not caller.may(RULES[purpose].create):
            raise NoRight(f"this needs the permission {RULES[purpose].create}", permission=RULES[purpose].create)
        kind = checked_name(metadata.get("filename", ""), purpose)
        if length == 0:
            raise BadUpload("Upload-Length: an empty file is no file")
        most = min(RULES[purpose].max_bytes, MAX_SIZE)
        if length > most:
            raise FileTooLarge(f"a file for {purpose} may have {most} bytes", limit_bytes=most)
        now = clock.now()
        return FileRecord(
            file_id=new_id(),
            organization_id=caller.organization_id,
            created_by=caller.user_id,
            created_at=now,
            expires_at=now + self._settings.upload_life,
            filename=metadata["filename"],
            purpose=purpose,
            kind=kind.name,
            length=length,
            metadata=raw,
        )

    def _check_room(self, usage: Usage, length: int) -> None:
        if usage.closed:
            raise OrganizationGone("the organisation was deleted")
        most, files = self._settings.quota_bytes, self._settings.quota_files
        if len(usage.sizes) >= files:
            raise QuotaReached(f"the organisation has {len(usage.sizes)} of {files} files; delete some", files=files)
        if usage.total + length > most:
            raise QuotaReached(f"{most - usage.total} bytes are left of {most}; delete some files", limit_bytes=most)

    async def find(self, organization_id: str, file_id: str) -> FileRecord:
        """The upload, be it complete or not. Raises UnknownFile, UploadGone."""
        file = await self._store.files.get(organization_id, file_id) if is_id(file_id) else None
        if file is None or file.state == "deleted":
            raise UnknownFile(f"there is no upload {file_id[:64]!r}")
        check_open(file)
        return file

    async def append(
        self,
        organization_id: str,
        file_id: str,
        offset: int,
        body: AsyncIterator[bytes],
        *,
        announced: int | None,
        checksum: Checksum | None,
    ) -> FileRecord:
        """Adds bytes that begin at `offset`; `announced` is how many, where the request says so.

        Raises: UnknownFile, UploadGone, OffsetDiffers, FileTooLarge, and what Writer.write raises.
        """
        await self.find(organization_id, file_id)

        def take_over(file: FileRecord, _: Emit) -> FileRecord:
            check_open(file)
            return taken_over(file, offset, announced)

        try:
            file = (await self._store.files.update(organization_id, file_id, change=take_over)).value
        except Missing as error:
            raise UnknownFile(f"there is no upload {file_id[:64]!r}") from error
        reach(TAKEN)
        if file.offset == file.length:
            return file
        return await Writer(self._store, self._blobs, file, checksum).write(body)


def taken_over(file: FileRecord, offset: int, announced: int | None) -> FileRecord:
    """The file in the hands of a new request. Raises OffsetDiffers, FileTooLarge, BadUpload."""
    if offset != file.offset:
        raise OffsetDiffers(f"the upload is at {file.offset}, not {offset}", offset=file.offset)
    left = file.length - offset
    if announced is not None and announced > left:
        raise FileTooLarge(f"{left} bytes are left of the upload, not {announced}", limit_bytes=left)
    if file.attempt >= MAX_ATTEMPTS:
        raise BadUpload(f"an upload may come in {MAX_ATTEMPTS} requests; send larger pieces")
    if left == 0:
        return file
    end = offset + (left if announced is None else announced)
    writing = Span(tag=f"u{file.attempt + 1}", first=offset // CHUNK, last=end // CHUNK)
    litter = [*file.litter, *_never_counted(file)]
    return file.model_copy(update={"attempt": file.attempt + 1, "writing": writing, "litter": litter})


def _never_counted(file: FileRecord) -> list[Span]:
    """Where the request before may have written what did not come to count; nowhere when it came to its end."""
    before = file.writing
    if before is None:
        return []
    counted = {part.index for part in file.parts if part.tag == before.tag}
    first = max(counted, default=before.first - 1) + 1
    return [before.model_copy(update={"first": first})] if first <= before.last else []


def check_open(file: FileRecord) -> None:
    """Raises UploadGone for an upload that was cancelled, refused, or whose time is over."""
    if file.state in ("cancelled", "refused", "deleted"):
        raise UploadGone(f"the upload is {file.state}" + (f": {file.reason}" if file.reason else ""))
    if file.state == "uploading" and file.expires_at <= clock.now():
        raise UploadGone("the upload has expired")


def purpose_of(value: str | None) -> Purpose:
    """A purpose by its name. Raises RefusedFile."""
    found: Purpose | None = next((known for known in get_args(Purpose) if known == value), None)
    if found is None:
        raise RefusedFile(f"purpose: is one of {', '.join(get_args(Purpose))}")
    return found


def is_id(text: str) -> bool:
    """Whether a text may be the id of a file."""
    return len(text) == 36 and text.replace("-", "").isalnum() and text.isascii()
