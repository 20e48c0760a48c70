"""Archives: counted and unpacked into nothing, piece by piece, before anybody else does it.

The directory is measured before it is read, and what an entry unpacks to is counted, not believed. An archive inside is
looked into the same way, down to DEPTH; what can't be looked into is refused.
"""

import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final

from omnify_files.inspection import Findings, Refusal
from omnify_files.kinds import ACTIVE, Kind

RATIO: Final = 100
ENTRIES: Final = 1000
DEPTH: Final = 2
MAX_UNPACKED: Final = 1024**3  # bytes of all entries together
_FREE: Final = 1024 * 1024  # bytes that even a small archive may unpack to
_DIRECTORY: Final = 1024 * 1024  # bytes
_PIECE: Final = 64 * 1024
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_PACKED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd", b"MSCF")
_MAIN: Final = {"docx": "word/", "xlsx": "xl/", "pptx": "ppt/"}
_TOO_LARGE: Final = "archive-too-large"
_ENTRY: Final = "archive-entry"


def look_at_archive(kind: Kind, path: Path) -> Findings:
    """Entries and what they unpack to, in bytes. Raises Refusal."""
    tally = _Tally(path.stat().st_size)
    with path.open("rb") as file:
        names = tally.walk(file, path.stat().st_size, depth=1)
    if kind.name in _MAIN:
        _check_office(kind.name, names)
    return Findings({"entries": tally.entries, "unpacked": tally.unpacked})


def _check_office(kind: str, names: list[str]) -> None:
    if "[Content_Types].xml" not in names or not any(name.startswith(_MAIN[kind]) for name in names):
        raise Refusal("type-differs", f"it is an archive and no {kind}")
    if any(PurePosixPath(name).name.lower() in {"vbaproject.bin", "vbadata.xml"} for name in names):
        raise Refusal("active-content", "it holds macros")


class _Tally:
    """What all entries of one file came to so far."""

    def __init__(self, packed: int) -> None:
        self._most = min(MAX_UNPACKED, max(_FREE, packed * RATIO))
        self.entries = 0
        self.unpacked = 0

    def walk(self, file: BinaryIO, size: int, *, depth: int) -> list[str]:
        """Goes through an archive; the names in it."""
        if depth > DEPTH:
            raise Refusal(_ENTRY, f"archives lie in archives, more than {DEPTH} deep")
        check_directory(file, size)
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            self.entries += len(entries)
            if self.entries > ENTRIES:
                raise Refusal(_TOO_LARGE, f"it has more than {ENTRIES} entries")
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names):
                raise Refusal(_ENTRY, "two entries have one name")
            for entry in entries:
                check_entry(entry)
                if not entry.is_dir():
                    self._unpack(archive, entry, depth)
        return names

    def _unpack(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, depth: int) -> None:
        with archive.open(entry) as unpacked:
            head = unpacked.read(_PIECE)
            if head.startswith(_PACKED) or head[257:262] == b"ustar":
                raise Refusal(_ENTRY, f"{_shown(entry)} is an archive that is not looked into")
            pieces = self._counted(unpacked, head, entry)
            if not head.startswith(b"PK\x03\x04"):
                for _ in pieces:
                    pass
                return
            with tempfile.TemporaryFile() as inner:
                for piece in pieces:
                    inner.write(piece)
                size = inner.tell()
                inner.seek(0)
                self.walk(inner, size, depth=depth + 1)

    def _counted(self, unpacked: IO[bytes], head: bytes, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        piece, size = head, 0
        while piece:
            size += len(piece)
            self.unpacked += len(piece)
            if self.unpacked > self._most or size > max(_FREE, entry.compress_size * RATIO * 2):
                raise Refusal(_TOO_LARGE, f"{_shown(entry)} unpacks to more than {RATIO} times its size")
            yield piece
            piece = unpacked.read(_PIECE)


def check_directory(file: BinaryIO, size: int) -> None:
    """Measures the directory before it is read: a small file may announce millions of entries. Raises Refusal."""
    start = max(0, size - 65_557)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise Refusal("unreadable", "it has no directory")
    record = tail[at : at + 22]
    count, length, offset = (
        int.from_bytes(record[start:end], "little") for start, end in ((10, 12), (12, 16), (16, 20))
    )
    comment = int.from_bytes(record[20:22], "little")
    if start + at + 22 + comment != size or offset + length != start + at:
        raise Refusal("polyglot", "something stands before or behind the archive")
    if count > ENTRIES or length > _DIRECTORY:
        raise Refusal(_TOO_LARGE, f"it has more than {ENTRIES} entries")
    file.seek(0)


def check_entry(entry: zipfile.ZipInfo) -> None:
    """Raises Refusal for a link, a path that leads out, a secret, or a program."""
    name, mode = entry.filename, entry.external_attr >> 16
    path = PurePosixPath(name)
    if "\\" in name or ":" in name or "\0" in name or path.is_absolute() or ".." in path.parts:
        raise Refusal(_ENTRY, f"{_shown(entry)} leads out of the archive")
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
        raise Refusal(_ENTRY, f"{_shown(entry)} is a link or a device")
    if entry.flag_bits & 0x1 or entry.compress_type not in _METHODS:
        raise Refusal(_ENTRY, f"{_shown(entry)} is encrypted, or packed in a way that is not looked into")
    if path.suffix.lower().removeprefix(".") in ACTIVE - {"xml"}:
        raise Refusal("active-content", f"{_shown(entry)} is a program or a page")


def _shown(entry: zipfile.ZipInfo) -> str:
    return f"the entry {entry.filename[:80]!r}"
