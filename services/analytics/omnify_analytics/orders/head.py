"""What can be told from the first bytes of an order file, before it is accepted."""

from typing import Final

from omnify_analytics.errors import UnreadableFile
from omnify_analytics.orders.options import ImportOptions
from omnify_analytics.orders.reader import Record, records, text_blocks

HEAD_BYTES: Final = 262_144
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def check_head(head: bytes, options: ImportOptions) -> None:
    """Checks the first HEAD_BYTES of a file, or all of a shorter one. Raises UnreadableFile."""
    if not head:
        raise UnreadableFile("the file is empty")
    if head.startswith(_UTF16) or b"\0" in head:
        raise UnreadableFile("the file is not UTF-8 text; export it as CSV in UTF-8")
    found = records(text_blocks([head]), options.delimiter)
    first, second = next(found, None), next(found, None)
    if first is None or (options.has_header and second is None):
        raise UnreadableFile("the file has no rows")
    if options.has_header:
        column_indexes(first, options)


def column_indexes(header: Record | None, options: ImportOptions) -> dict[str, int]:
    """The zero-based index of each mapped column. `header` is None in a file without one.

    Raises UnreadableFile naming the columns that the header lacks.
    """
    if header is None:
        return {name: ref for name, ref in options.columns.mapped().items() if isinstance(ref, int)}
    if header.broken:
        raise UnreadableFile(f"the header in line {header.line} can't be read: {header.broken}")
    names = [name.strip() for name in header.fields]
    found = {name: _index(ref, names) for name, ref in options.columns.mapped().items()}
    wrong = {name: index for name, index in found.items() if isinstance(index, str)}
    if wrong:
        problems = "; ".join(f"columns.{name}: {reason}" for name, reason in wrong.items())
        raise UnreadableFile(
            f"line {header.line}: {problems}",
            errors=[{"in": "file", "field": f"columns.{name}", "reason": reason} for name, reason in wrong.items()],
            header=[name[:100] for name in names[:50]],
        )
    return {name: index for name, index in found.items() if isinstance(index, int)}


def _index(ref: int | str, names: list[str]) -> int | str:
    if isinstance(ref, int):
        return ref if ref < len(names) else f"there is no column {ref}: the header has {len(names)}"
    if names.count(ref) == 1:
        return names.index(ref)
    return f"the header names {ref!r} twice" if ref in names else f"the header has no {ref!r}"
