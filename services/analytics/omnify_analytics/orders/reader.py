"""From bytes to numbered lines and records, one at a time: right for every file, quoted fields included."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

WHITESPACE: Final = "whitespace"
BLANKS: Final = " \t"
MAX_LINE: Final = 65_536  # characters; longer ones could split into millions of fields
MAX_RECORD_LINES: Final = 200  # a quoted field that runs on for longer was never closed
BROKEN_TEXT: Final = "not valid UTF-8"
TOO_LONG: Final = f"longer than {MAX_LINE} characters"
SEPARATOR: Final = "\x1f"  # between fields on their way to Polars, so none may hold it
CONTROL: Final = "has a control character (U+001F)"
_BOM: Final = b"\xef\xbb\xbf"
_SURROGATE: Final = re.compile("[\udc80-\udcff]")


class TextBlock(NamedTuple):
    """Whole lines, joined by line feeds. `first` is the number of the first, counted from 1.

    Bytes that are not UTF-8 stand in `text` as lone surrogates, and `clean` is false.
    """

    first: int
    text: str
    clean: bool


class Record(NamedTuple):
    """The fields of one record and the line where it starts; `broken` says why it can't be used."""

    line: int
    fields: list[str]
    broken: str | None = None


def text_blocks(blocks: Iterable[bytes]) -> Iterator[TextBlock]:
    """Consecutive blocks of a file, cut anew between lines. Lines end in CR LF, LF or CR; a byte order mark goes."""
    number, carry = 1, b""
    for block in _without_bom(blocks):
        whole = carry + block
        cut = max(whole.rfind(b"\n"), whole.rfind(b"\r", 0, -1)) + 1
        carry = whole[cut:]
        if cut:
            found = _text_block(number, whole[:cut])
            yield found
            number += found.text.count("\n") + 1
    if carry:
        yield _text_block(number, carry)


def _without_bom(blocks: Iterable[bytes]) -> Iterator[bytes]:
    source = iter(blocks)
    start = b""
    for block in source:
        start += block
        if len(start) >= len(_BOM):
            break
    yield start.removeprefix(_BOM)
    yield from source


def _text_block(first: int, whole: bytes) -> TextBlock:
    plain = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n")
    try:
        return TextBlock(first, plain.decode(), clean=True)
    except UnicodeDecodeError:
        return TextBlock(first, plain.decode("utf-8", "surrogateescape"), clean=False)


class _Lines:
    """The lines of blocks; the last ones taken can be put back."""

    def __init__(self, blocks: Iterable[TextBlock]) -> None:
        self._blocks = iter(blocks)
        self._waiting: list[str] = []
        self.number = 0  # of the line taken last

    def take(self) -> str | None:
        if not self._waiting:
            block = next(self._blocks, None)
            if block is None:
                return None
            self.number = block.first - 1
            self._waiting = block.text.split("\n")
            self._waiting.reverse()
        self.number += 1
        return self._waiting.pop()

    def put_back(self, lines: list[str]) -> None:
        self._waiting.extend(reversed(lines))
        self.number -= len(lines)


def records(blocks: Iterable[TextBlock], delimiter: str) -> Iterator[Record]:
    """The records in blocks, blank lines left out. `delimiter` is a character, or WHITESPACE for runs of BLANKS."""
    lines = _Lines(blocks)
    while (line := lines.take()) is not None:
        if not line.strip(BLANKS):
            continue
        if len(line) > MAX_LINE:
            yield Record(lines.number, [], TOO_LONG)
        elif not line.isascii() and _SURROGATE.search(line):
            yield Record(lines.number, [], BROKEN_TEXT)
        elif SEPARATOR in line:
            yield Record(lines.number, [], CONTROL)
        elif delimiter == WHITESPACE:
            yield Record(lines.number, [text for text in line.replace("\t", " ").split(" ") if text])
        elif '"' in line:
            yield _quoted(line, lines, delimiter)
        else:
            yield Record(lines.number, line.split(delimiter))


def _quoted(first: str, lines: _Lines, delimiter: str) -> Record:
    """A record with quoted fields (RFC 4180), which may go on over several lines."""
    start, taken = lines.number, list[str]()

    def following() -> Iterator[str]:
        while len(taken) < MAX_RECORD_LINES and (line := lines.take()) is not None:
            taken.append(line)
            yield line + "\n"

    try:
        fields = next(csv.reader(chain([first + "\n"], following()), delimiter=delimiter, strict=True))
    except csv.Error as error:
        lines.put_back(taken)
        return Record(start, [], _quoting_problem(str(error)))
    if any(not text.isascii() and _SURROGATE.search(text) for text in fields):
        return Record(start, [], BROKEN_TEXT)
    return Record(start, [], CONTROL) if any(SEPARATOR in text for text in fields) else Record(start, fields)


def _quoting_problem(error: str) -> str:
    if "unexpected end of data" in error or "field larger" in error:
        return "a quoted field is not closed"
    return "text follows a closing quote"
