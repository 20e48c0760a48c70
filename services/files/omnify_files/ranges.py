"""A part of a download, as a client asks for it (RFC 9110 §14): one range of bytes; of several it gets the whole."""

import re
from dataclasses import dataclass
from typing import Final

from omnify_files.errors import RangeOutside

_RANGE: Final = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `first` to `last` of `size`, both ends included."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many these are."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """As `Content-Range` has it."""
        return f"bytes {self.first}-{self.last}/{self.size}"


def asked(value: str | None, if_range: str | None, *, etag: str, size: int) -> ByteRange | None:
    """What `Range` and `If-Range` ask for of a content of `size` bytes; None is all of it.

    A range that is not well formed, one of another unit and several at once are no ranges to us (§14.2), and neither is
    one of a content that is not that of `if_range`: its tag alone tells, as there are no dates. Raises RangeOutside.
    """
    found = _RANGE.fullmatch(value.strip()) if value else None
    if found is None or not any(found.groups()) or if_range not in (None, etag):
        return None
    first, last = (int(number) if number else None for number in found.groups())
    if first is None:
        first, last = max(0, size - (last or 0)), size - 1
    elif last is not None and last < first:
        return None
    if first >= size:
        raise RangeOutside(f"the content has {size} bytes", headers={"Content-Range": f"bytes */{size}"})
    return ByteRange(first, size - 1 if last is None else min(last, size - 1), size)
