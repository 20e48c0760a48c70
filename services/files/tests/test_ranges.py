"""What a request for a part of a content comes to (RFC 9110 §14)."""

import pytest

from omnify_files.errors import RangeOutside
from omnify_files.ranges import ByteRange, asked

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("BYTES=7-7", 7, 7),
        ("bytes=90-", 90, 99),
        ("bytes=90-1000", 90, 99),
        ("bytes=-3", 97, 99),
        ("bytes=-1000", 0, 99),
    ],
)
def test_one_range(wanted: str, first: int, last: int) -> None:
    part = asked(wanted, None, etag=ETAG, size=100)
    assert part == ByteRange(first, last, 100)
    assert (part.length, str(part)) == (last - first + 1, f"bytes {first}-{last}/100")


@pytest.mark.parametrize(
    "wanted", [None, "", "bytes", "bytes=-", "bytes=5-4", "chars=0-1", "bytes=0-1,4-5", "bytes=a-b"]
)
def test_all_of_it_for_what_is_no_range_to_us(wanted: str | None) -> None:
    assert asked(wanted, None, etag=ETAG, size=100) is None


@pytest.mark.parametrize(
    ("wanted", "size"), [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-", 0)]
)
def test_a_range_behind_the_end(wanted: str, size: int) -> None:
    with pytest.raises(RangeOutside) as raised:
        asked(wanted, None, etag=ETAG, size=size)
    assert raised.value.headers == {"Content-Range": f"bytes */{size}"}


@pytest.mark.parametrize("tag", ['"other"', f"W/{ETAG}", "abc", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
def test_all_of_it_when_the_content_is_another_by_now(tag: str) -> None:
    assert asked("bytes=0-9", ETAG, etag=ETAG, size=100) is not None
    assert asked("bytes=0-9", tag, etag=ETAG, size=100) is None
    assert asked("bytes=200-", tag, etag=ETAG, size=100) is None
