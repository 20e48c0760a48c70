"""From bytes to tables of records, as fast as each part of a file allows.

Plain text is cut by Polars. Lines with quotes go through the csv module many at a time, as long as each is a record of
its own. From the first one on that is not, or is broken, the exact reader does the work, one record at a time.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final

import polars as pl

from omnify_analytics.orders.reader import (
    BLANKS,
    CONTROL,
    MAX_LINE,
    SEPARATOR,
    TOO_LONG,
    WHITESPACE,
    Record,
    TextBlock,
    records,
    text_blocks,
)

BATCH: Final = 4_000  # lines per call into C: few enough not to hold up the event loop


def tables(blocks: Iterable[bytes], delimiter: str) -> Iterator[pl.DataFrame]:
    """The records of a file as tables of `line`, `fields` and `broken`, which says why a record can't be used."""
    source = text_blocks(blocks)
    for block in source:
        if block.clean and (delimiter == WHITESPACE or '"' not in block.text):
            yield _plain(block, delimiter)
            continue
        lines, taken = block.text.split("\n"), 0
        while block.clean and (found := _one_line_each(lines[taken : taken + BATCH], block.first + taken, delimiter)):
            yield _table(found)
            taken += BATCH
        if taken < len(lines):
            rest = TextBlock(block.first + taken, "\n".join(lines[taken:]), block.clean)
            yield from _exact(records(chain([rest], source), delimiter))
            return


def _one_line_each(lines: Sequence[str], first: int, delimiter: str) -> list[Record]:
    """The records of lines that hold one each; none when there is a line that the exact reader must see."""
    if any(len(line) > MAX_LINE or SEPARATOR in line for line in lines):
        return []
    try:
        found = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    if len(found) < len(lines):
        return []
    numbered = enumerate(zip(lines, found, strict=True), start=first)
    return [Record(number, fields) for number, (line, fields) in numbered if line.strip(BLANKS)]


def _exact(source: Iterator[Record]) -> Iterator[pl.DataFrame]:
    while part := list(islice(source, BATCH)):
        yield _table(part)


def _table(part: Sequence[Record]) -> pl.DataFrame:
    text = pl.when(pl.col("broken").is_null()).then(pl.col("text"))
    columns = {
        "line": pl.Series([record.line for record in part], dtype=pl.Int64),
        "text": pl.Series([SEPARATOR.join(record.fields) for record in part], dtype=pl.String),
        "broken": pl.Series([record.broken for record in part], dtype=pl.String),
    }
    return pl.DataFrame(columns).select("line", text.str.split(SEPARATOR).alias("fields"), "broken")


def _plain(block: TextBlock, delimiter: str) -> pl.DataFrame:
    lines = pl.Series("text", [block.text]).str.split("\n").explode().to_frame().with_row_index("line", block.first)
    text = cells = pl.col("text")
    if delimiter == WHITESPACE:
        cells, delimiter = text.str.replace_all(rf"[{BLANKS}]+", " ").str.strip_chars(" "), " "
    broken = pl.coalesce(
        pl.when(text.str.len_chars() > MAX_LINE).then(pl.lit(TOO_LONG)),
        pl.when(text.str.contains(SEPARATOR, literal=True)).then(pl.lit(CONTROL)),
    )
    return lines.filter(text.str.strip_chars(BLANKS) != "").select(
        pl.col("line").cast(pl.Int64),
        pl.when(broken.is_null()).then(cells).str.split(delimiter).alias("fields"),
        broken.alias("broken"),
    )
