"""A file's name, first bytes and parser have to say the same, and nothing else may be said by it."""

import zipfile
from pathlib import Path
from typing import Final

import puremagic

from omnify_files.inspection import Findings, Refusal
from omnify_files.kinds import KINDS, Kind

_HEAD: Final = 4096
_ZIP: Final = b"pk\x03\x04"
_OF_FAMILY: Final = {"pdf": b"%pdf-", "office": _ZIP, "archive": _ZIP}
_ANYWHERE: Final = (b"%pdf-", _ZIP, b"<?php", b"<script", b"<html", b"<!doctype html")
_IN_FRONT: Final = (*_ANYWHERE, b"#!", b"mz", b"\x7felf", b"<?xml", b"<svg", b"gif8", b"\x89png")


def look(kind_name: str, path: Path, folder: Path) -> Findings:
    """Looks at a file that its name calls a `kind_name`; what is made of it lies in `folder`. Raises Refusal."""
    kind = KINDS[kind_name]
    check_magic(kind, path)
    check_one_meaning(kind, path)
    try:
        return _parse(kind, path, folder)
    except Refusal:
        raise
    except MemoryError as error:
        raise Refusal("unreadable", "it takes more memory than a file may") from error
    except Exception as error:
        raise Refusal("unreadable", f"it can't be read as {kind.name} ({type(error).__name__})") from error


def check_magic(kind: Kind, path: Path) -> None:
    """Raises Refusal unless the bytes look like the kind that the name says."""
    try:
        found = {match.extension.lower() for match in puremagic.magic_file(path)}
    except (puremagic.PureError, ValueError):
        found = set()
    if kind.magic and found.isdisjoint(kind.magic):
        raise Refusal("type-differs", f"its bytes are not those of {kind.name}")


def check_one_meaning(kind: Kind, path: Path) -> None:
    """Raises Refusal for a file that is something else, too, to whoever looks at its other end."""
    with path.open("rb") as file:
        head = file.read(_HEAD).lower()
    own = _OF_FAMILY.get(kind.family)
    # A text, and what is stored in an archive, may speak of anything; what it begins with is what it is.
    if kind.family == "text":
        several = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_IN_FRONT)
    elif own == _ZIP:
        several = not head.startswith(_ZIP)
    else:
        several = any(sign in head for sign in _ANYWHERE if sign != own) or zipfile.is_zipfile(path)
    if several:
        raise Refusal("polyglot", "it is more than one kind of file")


def _parse(kind: Kind, path: Path, folder: Path) -> Findings:
    """Loads the one parser that is needed."""
    match kind.family:
        case "image":
            from omnify_files.inspection.images import look_at_image

            return look_at_image(kind, path, folder)
        case "video":
            from omnify_files.inspection.videos import look_at_video

            return look_at_video(kind, path)
        case "pdf":
            from omnify_files.inspection.pdfs import look_at_pdf

            return look_at_pdf(path, folder)
        case "text":
            from omnify_files.inspection.texts import look_at_text

            return look_at_text(path)
        case _:
            from omnify_files.inspection.archives import look_at_archive

            return look_at_archive(kind, path)
