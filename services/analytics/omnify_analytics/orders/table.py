"""From bytes to tables of records: plain text is cut by Polars, a file with quotes record by record."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final

import polars as pl

from omnify_analytics.orders.reader import (
    BLANKS,
    MAX_LINE,
    TOO_LONG,
    WHITESPACE,
    TextBlock,
    records,
    text_blocks,
)

BATCH_RECORDS: Final = 20_000
SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "line": pl.Int64,
    "fields": pl.List(pl.String),
    "broken": pl.String,
}


def tables(blocks: Iterable[bytes], delimiter: str) -> Iterator[pl.DataFrame]:
    """The records of a file as tables of SCHEMA; `broken` says why a record can't be used.

    From the first block on that has a quote, or bytes that are not UTF-8, the exact reader does the work: a quoted
    field may reach into the next block.
    """
    source = text_blocks(blocks)
    for block in source:
        if not block.clean or ('"' in block.text and delimiter != WHITESPACE):
            yield from _exact(chain([block], source), delimiter)
            return
        yield _plain(block, delimiter)


def _exact(blocks: Iterable[TextBlock], delimiter: str) -> Iterator[pl.DataFrame]:
    source = records(blocks, delimiter)
    while part := list(islice(source, BATCH_RECORDS)):
        lines, fields, broken = zip(*part, strict=True)
        yield pl.DataFrame({"line": lines, "fields": fields, "broken": broken}, schema=SCHEMA, strict=True)


def _plain(block: TextBlock, delimiter: str) -> pl.DataFrame:
    lines = pl.Series("text", [block.text]).str.split("\n").explode().to_frame()
    text, overlong = pl.col("text"), pl.col("text").str.len_chars() > MAX_LINE
    cell = text.str.replace_all(rf"[{BLANKS}]+", " ").str.strip_chars(" ") if delimiter == WHITESPACE else text
    return (
        lines.with_row_index("line", offset=block.first)
        .filter(text.str.strip_chars(BLANKS) != "")
        .select(
            pl.col("line").cast(pl.Int64),
            pl.when(~overlong).then(cell).str.split(" " if delimiter == WHITESPACE else delimiter).alias("fields"),
            pl.when(overlong).then(pl.lit(TOO_LONG)).alias("broken"),
        )
    )
