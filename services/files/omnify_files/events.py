"""Events of the files service, and those that it reads. Topic: `files-events`; subject: the file's id."""

from omnify_files.records import FileRecord
from omnify_shared.erasure import READERS, ErasureReceipt
from omnify_shared.events import EventData


class FileUploaded(EventData, type="omnify.files.file.uploaded.v1"):
    """All bytes of a file are there; it is in quarantine. `size` is in bytes."""

    file_id: str
    organization_id: str
    purpose: str
    kind: str
    size: int


class FileReady(EventData, type="omnify.files.file.ready.v1"):
    """A file has passed every check and can be downloaded. `size` and `sha256` are those of what is served."""

    file_id: str
    organization_id: str
    purpose: str
    kind: str
    media_type: str
    size: int
    sha256: str


class FileRefused(EventData, type="omnify.files.file.refused.v1"):
    """A file has not passed; its bytes are dropped. `reason` is one of the reasons in the service's README.

    `user_id` sent the file, and is to be told; empty once they were erased.
    """

    file_id: str
    organization_id: str
    user_id: str
    purpose: str
    reason: str


class FileDeleted(EventData, type="omnify.files.file.deleted.v1"):
    """A file was deleted; its bytes are dropped."""

    file_id: str
    organization_id: str
    purpose: str


class ErasureCompleted(ErasureReceipt, type="omnify.files.erasure.completed.v1"):
    """Files has deleted what it held of an organisation, bytes and all, or forgotten which files a user sent.

    `subject` is the erasure's id.
    """


EVENTS = (FileUploaded, FileReady, FileRefused, FileDeleted, ErasureCompleted)
READS = (FileUploaded, *READERS)


def uploaded(file: FileRecord) -> FileUploaded:
    """The event that a file's bytes are all there."""
    return FileUploaded(
        file_id=file.file_id,
        organization_id=file.organization_id,
        purpose=file.purpose,
        kind=file.kind,
        size=file.length,
    )
