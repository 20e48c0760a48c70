"""Lines, fields and line numbers, by the exact reader and by the fast one."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnify_analytics.orders.reader import BROKEN_TEXT, MAX_LINE, TOO_LONG, Record, records, text_blocks
from omnify_analytics.orders.table import tables

TEXT = st.text(alphabet=st.sampled_from(list('ab1 \t,;"\n\r\u00fc\u2028\x0b\x00\x1f')), max_size=60)


def read(content: bytes, delimiter: str = ",") -> list[Record]:
    return list(records(text_blocks([content]), delimiter))


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


@given(content=TEXT.map(str.encode) | st.binary(max_size=60), size=st.integers(1, 20))
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "whitespace"])
def test_a_file_reads_the_same_however_it_is_cut_into_blocks(content: bytes, size: int, delimiter: str) -> None:
    assert list(records(text_blocks(cut(content, size)), delimiter)) == read(content, delimiter)


@given(content=TEXT.map(str.encode) | st.binary(max_size=60), size=st.integers(1, 20))
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "whitespace"])
def test_the_fast_reader_agrees_with_the_exact_one(content: bytes, size: int, delimiter: str) -> None:
    frames = list(tables(cut(content, size), delimiter))
    found = pl.concat(frames).rows() if frames else []
    assert [(line, fields or [], broken) for line, fields, broken in found] == read(content, delimiter)


@given(content=TEXT.map(str.encode))
def test_lines_are_numbered_as_an_editor_does(content: bytes) -> None:
    plain = content.replace(b'"', b"")
    lines = plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode().split("\n")
    expected = [number for number, line in enumerate(lines, start=1) if line.strip(" \t")]
    assert [record.line for record in read(plain)] == expected


def test_a_byte_order_mark_is_no_part_of_the_first_field() -> None:
    assert list(records(text_blocks(cut(b"\xef\xbb\xbfid,day\n", 1)), ",")) == [Record(1, ["id", "day"])]


def test_quoted_fields_may_hold_delimiters_quotes_and_line_ends() -> None:
    found = read(b'1,"a, ""b""\nc",2\r\n3,d,4\n')
    assert found == [Record(1, ["1", 'a, "b"\nc', "2"]), Record(3, ["3", "d", "4"])]


def test_a_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    found = read(b'1,"open,2\n' + b"3,d,4\n" * 500)
    assert found[0] == Record(1, [], "a quoted field is not closed")
    assert [record.line for record in found[1:]] == list(range(2, 502))


def test_text_after_a_closing_quote_is_named() -> None:
    assert read(b'"1"x,2\n3,4\n') == [Record(1, [], "text follows a closing quote"), Record(2, ["3", "4"])]


def test_a_line_that_is_not_utf_8_is_named_and_the_others_are_kept() -> None:
    assert read(b'1,2\n\xff,2\n"\xe4",3\n3,4\n') == [
        Record(1, ["1", "2"]),
        Record(2, [], BROKEN_TEXT),
        Record(3, [], BROKEN_TEXT),
        Record(4, ["3", "4"]),
    ]


@pytest.mark.parametrize("delimiter", [",", "whitespace"])
def test_an_endless_line_is_not_split(delimiter: str) -> None:
    content = b"," * (MAX_LINE + 1) + b"\n1,2\n"
    assert read(content, delimiter)[0] == Record(1, [], TOO_LONG)
    assert next(tables([content], delimiter))["broken"].to_list() == [TOO_LONG, None]
