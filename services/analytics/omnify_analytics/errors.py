"""Problems of the analytics service.

Problem
├── NotFound          UnknownImport 404, OrganizationGone 404
├── Conflict          CurrencyDiffers 409, StillImporting 409
├── PayloadTooLarge   FileTooLarge 413
├── UnsupportedMedia… NotAForm 415
└── Unprocessable     UnreadableFile 422, InvalidOptions 422, InvalidRange 422
"""

from omnify_shared.problems import Conflict, NotFound, PayloadTooLarge, Unprocessable, UnsupportedMediaType


class UnknownImport(NotFound):
    """No import of that id in the caller's organisation."""

    type, title = "unknown-import", "No such import"


class OrganizationGone(NotFound):
    """The caller's organisation was deleted a moment ago."""

    type, title = "organization-gone", "The organisation was deleted"


class CurrencyDiffers(Conflict):
    """The organisation's orders are in another currency."""

    type, title = "currency-differs", "The currency differs"


class StillImporting(Conflict):
    """The same file is being imported with other options."""

    type, title = "still-importing", "The file is still being imported"


class FileTooLarge(PayloadTooLarge):
    """The file is larger than one import may be."""

    type, title = "file-too-large", "The file is too large"


class NotAForm(UnsupportedMediaType):
    """An upload that is not multipart/form-data."""

    type, title = "not-a-form", "The upload is not a form"


class UnreadableFile(Unprocessable):
    """The file as a whole can't be imported."""

    type, title = "unreadable-file", "The file can't be read"


class InvalidOptions(Unprocessable):
    """The upload's form or its options are not valid."""

    type, title = "invalid-options", "The import options are not valid"


class InvalidRange(Unprocessable):
    """The asked range of days makes no sense or holds too many periods."""

    type, title = "invalid-range", "The range is not valid"
