"""Problems of the files service.

Problem
├── BadRequest        BadUpload 400
├── Forbidden         BadLink 403, NoRight 403
├── NotFound          UnknownFile 404, OrganizationGone 404
├── Conflict          OffsetDiffers 409, NotReady 409, NotCancellable 409
├── UploadGone 410
├── WrongVersion 412
├── PayloadTooLarge   FileTooLarge 413, QuotaReached 413
├── UnsupportedMedia… NotAChunk 415
├── RangeOutside 416
├── Unprocessable     RefusedFile 422
├── WriterReplaced 423
└── ChecksumDiffers 460 (tus)
"""

from omnify_shared.problems import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    PayloadTooLarge,
    Problem,
    Unprocessable,
    UnsupportedMediaType,
)


class BadUpload(BadRequest):
    """A header of the upload protocol is missing or malformed."""

    type, title = "bad-upload", "The upload's headers are not valid"


class BadLink(Forbidden):
    """A download link that was altered or has expired."""

    type, title = "bad-link", "The link is not valid any more"


class NoRight(Forbidden):
    """The caller may not do this with files of that purpose."""

    type, title = "forbidden", "Not allowed"


class UnknownFile(NotFound):
    """No file of that id in the caller's organisation."""

    type, title = "unknown-file", "No such file"


class OrganizationGone(NotFound):
    """The organisation was deleted."""

    type, title = "organization-gone", "The organisation is gone"


class OffsetDiffers(Conflict):
    """The bytes sent do not follow on those that are there."""

    type, title = "offset-differs", "The offset differs"


class NotReady(Conflict):
    """A file that has not passed its checks can't be downloaded."""

    type, title = "file-not-ready", "The file is not ready"


class NotCancellable(Conflict):
    """A file that is at its end can't be cancelled."""

    type, title = "not-cancellable", "The file can't be cancelled any more"


class UploadGone(Problem):
    """The upload was cancelled or has expired."""

    status, type, title = 410, "upload-gone", "The upload is gone"


class WrongVersion(Problem):
    """The client speaks another version of the protocol, or names none."""

    status, type, title = 412, "wrong-tus-version", "Not this version of tus"


class FileTooLarge(PayloadTooLarge):
    """The file, or what was sent of it, is larger than may be."""

    type, title = "file-too-large", "The file is too large"


class QuotaReached(PayloadTooLarge):
    """The organisation has no room for this file."""

    type, title = "quota-reached", "The organisation's storage is full"


class NotAChunk(UnsupportedMediaType):
    """Bytes of an upload that are not declared as such."""

    type, title = "not-a-chunk", "The body is not part of an upload"


class RefusedFile(Unprocessable):
    """The file's name or purpose can't be accepted."""

    type, title = "refused-file", "The file can't be accepted"


class RangeOutside(Problem):
    """The range of a download begins behind its end (RFC 9110 §15.5.17)."""

    status, type, title = 416, "range-not-satisfiable", "The content has no such range"


class WriterReplaced(Problem):
    """Another request has taken this upload over."""

    status, type, title = 423, "upload-taken-over", "Another request goes on with the upload"


class ChecksumDiffers(Problem):
    """The bytes that came are not those that were sent (tus 1.0, checksum)."""

    status, type, title = 460, "checksum-differs", "The checksum differs"
