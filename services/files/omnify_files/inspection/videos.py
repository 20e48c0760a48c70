"""Films: their containers are walked from end to end; nothing may stand before, between or behind the boxes."""

from pathlib import Path
from typing import BinaryIO, Final

from omnify_files.inspection import Findings, Refusal
from omnify_files.kinds import Kind

_BRANDS: Final = {b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash"}
_BOXES: Final = {
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"udta", b"meta", b"moof", b"mfra", b"sidx", b"styp", b"uuid",
    b"pdin", b"emsg", b"prft",
}  # fmt: skip
_EBML, _SEGMENT, _VOID = 0x1A45DFA3, 0x18538067, 0xEC


def look_at_video(kind: Kind, path: Path) -> Findings:
    """Raises Refusal unless the container is whole and nothing else."""
    size = path.stat().st_size
    with path.open("rb") as file:
        found = _mp4(file, size) if kind.name == "mp4" else _webm(file, size)
    return Findings({"boxes": found})


def _mp4(file: BinaryIO, size: int) -> int:
    """Walks the boxes of the top level (ISO/IEC 14496-12 §4.2)."""
    names, position = list[bytes](), 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - position
        if len(head) < 8 or length < 8 or name not in _BOXES or position + length > size:
            raise Refusal("unreadable", "its boxes do not add up")
        if not names and not (name == b"ftyp" and head[8:12] in _BRANDS):
            raise Refusal("type-differs", "it is not an MP4 film")
        names.append(name)
        position += length
    if b"moov" not in names or (b"mdat" not in names and b"moof" not in names):
        raise Refusal("unreadable", "it has no film in it")
    return len(names)


def _webm(file: BinaryIO, size: int) -> int:
    """Walks the elements of the top level (RFC 8794); a segment of unknown size ends with the file."""
    position, seen = 0, list[int]()
    while position < size:
        file.seek(position)
        element, length, head = _element(file.read(12))
        body = size - position - head if length is None else length
        if element == _EBML and not seen:
            file.seek(position + head)
            if b"webm" not in file.read(min(body, 4096)):
                raise Refusal("type-differs", "it is not a WebM film")
        elif element not in {_SEGMENT, _VOID} or not seen:
            raise Refusal("unreadable", "its elements do not add up")
        if position + head + body > size:
            raise Refusal("unreadable", "its elements do not add up")
        seen.append(element)
        position += head + body
    if _SEGMENT not in seen:
        raise Refusal("unreadable", "it has no film in it")
    return len(seen)


def _element(head: bytes) -> tuple[int, int | None, int]:
    """Id, size (None when unknown) and length of an element's head. Raises Refusal."""
    try:
        width = 9 - head[0].bit_length()
        element = int.from_bytes(head[:width], "big")
        first = head[width]
        length = 9 - first.bit_length()
        value = int.from_bytes(head[width : width + length], "big") - (1 << (7 * length))
        if not first or width > 4 or len(head) < width + length:
            raise IndexError
    except IndexError as error:
        raise Refusal("unreadable", "its elements do not add up") from error
    return element, None if value == (1 << (7 * length)) - 1 else value, width + length
