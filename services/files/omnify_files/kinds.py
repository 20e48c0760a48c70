"""The kinds of files that there are, and what each purpose takes. Plain data: a new kind is a new line and a parser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

MiB: Final = 1024 * 1024
MAX_SIZE: Final = 100 * MiB  # bytes of any file (`Tus-Max-Size`)

Family = Literal["image", "video", "pdf", "office", "text", "archive"]
Purpose = Literal["logo", "creative", "analysis_document", "campaign_idea", "brand_guide", "other"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file. `extensions` are those that a name may end in; `family` chooses the parser.

    `magic` are the extensions that puremagic gives for such bytes; empty where bytes alone tell nothing (text).
    """

    name: str
    family: Family
    media_type: str
    extensions: tuple[str, ...]
    magic: tuple[str, ...] = ()


_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("png", "image", "image/png", ("png",), (".png",)),
        Kind("jpeg", "image", "image/jpeg", ("jpg", "jpeg"), (".jpg", ".jpeg", ".jfif")),
        Kind("gif", "image", "image/gif", ("gif",), (".gif",)),
        Kind("webp", "image", "image/webp", ("webp",), (".webp",)),
        Kind("mp4", "video", "video/mp4", ("mp4",), (".mp4", ".m4v")),
        Kind("webm", "video", "video/webm", ("webm",), (".webm", ".mkv")),
        Kind("pdf", "pdf", "application/pdf", ("pdf",), (".pdf",)),
        Kind("docx", "office", f"{_OFFICE}wordprocessingml.document", ("docx",), (".docx", ".zip")),
        Kind("xlsx", "office", f"{_OFFICE}spreadsheetml.sheet", ("xlsx",), (".xlsx", ".zip")),
        Kind("pptx", "office", f"{_OFFICE}presentationml.presentation", ("pptx",), (".pptx", ".zip")),
        Kind("csv", "text", "text/csv; charset=utf-8", ("csv",)),
        Kind("txt", "text", "text/plain; charset=utf-8", ("txt", "md")),
        Kind("zip", "archive", "application/zip", ("zip",), (".zip",)),
    )
}
# What a machine may run or a browser may show as a page, wherever in a name it stands.
ACTIVE: Final = {
    "asp", "aspx", "bat", "cgi", "cmd", "cpl", "dll", "dmg", "docm", "exe", "hta", "htm", "html", "jar", "js", "jsp",
    "jsx", "lnk", "mhtml", "mjs", "msi", "php", "php5", "phar", "phtml", "pl", "pptm", "ps1", "py", "rb", "scr", "sh",
    "shtml", "svg", "swf", "vbs", "war", "wsf", "xhtml", "xlsm", "xml",
}  # fmt: skip
_BY_EXTENSION: Final = {extension: kind for kind in KINDS.values() for extension in kind.extensions}


@dataclass(frozen=True, slots=True)
class Rules:
    """What files of a purpose may be, and the permissions to make, see and delete them."""

    kinds: tuple[str, ...]
    max_bytes: int
    create: str
    view: str
    delete: str


_STILLS: Final = ("png", "jpeg", "webp")
_PAPERS: Final = ("pdf", "docx", "pptx")
RULES: Final[Mapping[Purpose, Rules]] = {
    "logo": Rules(_STILLS, 5 * MiB, "settings:edit", "creative:view", "settings:edit"),
    "creative": Rules(
        (*_STILLS, "gif", "mp4", "webm"), 50 * MiB, "creative:create", "creative:view", "creative:delete"
    ),
    "analysis_document": Rules(
        (*_PAPERS, "xlsx", "csv", "txt"), 50 * MiB, "analytics:export", "analytics:view", "analytics:admin"
    ),
    "campaign_idea": Rules(
        (*_PAPERS, *_STILLS, "txt"), 25 * MiB, "campaign:create", "campaign:view", "campaign:delete"
    ),
    "brand_guide": Rules((*_PAPERS, *_STILLS, "zip"), MAX_SIZE, "settings:edit", "creative:view", "settings:edit"),
    "other": Rules(tuple(KINDS), MAX_SIZE, "creative:create", "creative:view", "creative:delete"),
}


def kind_of_name(extension: str) -> Kind | None:
    """The kind of files that end in an extension (lower case, no dot); None for one that is not taken at all."""
    return _BY_EXTENSION.get(extension)
