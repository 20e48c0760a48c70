import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnify_gateway.errors import MalformedPath
from omnify_gateway.paths import check

GOOD = [
    b"/",
    b"/api/auth/me",
    b"/api/auth/",
    b"/.well-known/jwks.json",
    b"/api/files/a%20b.csv",
    b"/api/files/caf%C3%A9",
    b"/api/files/...",
    b"/api/files/.hidden",
    b"/api/files/a;v=1,2",
    b"/api/files/~a!$&'()*+=:@b",
]
BAD = [
    b"",
    b"*",
    b"api/auth",
    b"//api/auth/me",
    b"/api//auth",
    b"/api/auth/../internal",
    b"/api/auth/..",
    b"/api/auth/./me",
    b"/api/auth/..;/internal",
    b"/api/auth/%2e%2e/internal",
    b"/api/auth/%2E./internal",
    b"/api/auth/.%2e;x/internal",
    b"/api/auth/..%2finternal",
    b"/api/auth/%252e%252e/internal",
    b"/api/auth%2f..%2finternal",
    b"/api/auth/x%5c..%5cinternal",
    b"/api/auth/..\\internal",
    b"/api/auth/x%00",
    b"/api/auth/x%0d%0aX:y",
    b"/api/auth/x%3fa=b",
    b"/api/auth/x%23y",
    b"/api/auth/%zz",
    b"/api/auth/%2",
    b"/api/auth/%ff",
    b"/api/auth/%c0%ae%c0%ae/internal",
    b"/api/auth/\xc3\xa9",
    b"/api/auth/a b",
    b"http://elsewhere/api/auth/me",
]


@pytest.mark.parametrize("path", GOOD)
def test_takes_plain_paths(path: bytes) -> None:
    check(path, b"a=1&b=%20%2F..%2F")


@pytest.mark.parametrize("path", BAD)
def test_refuses_what_another_hop_could_read_differently(path: bytes) -> None:
    with pytest.raises(MalformedPath):
        check(path, b"")


@pytest.mark.parametrize("query", [b"a b", b"a=\xc3\xa9", b"a\r\nX: y", b"\x00"])
def test_refuses_queries_that_could_end_the_request_line(query: bytes) -> None:
    with pytest.raises(MalformedPath):
        check(b"/api/auth/me", query)


PIECES = [
    "a",
    "..",
    ".",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "%25",
    "/",
    "//",
    ";",
    "%3b",
    "\\",
    "%",
    "é",
    "%c3%a9",
    "%00",
    " ",
]


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_an_accepted_path_keeps_its_prefix_however_often_it_is_decoded_and_cleaned(tail: str) -> None:
    path = "/api/auth/" + tail
    try:
        check(path.encode(), b"")
    except MalformedPath:
        return
    once = posixpath.normpath(unquote(path))
    twice = posixpath.normpath(unquote(once))
    assert once == twice
    assert once == "/api/auth" or once.startswith("/api/auth/")
    assert once.rstrip("/") == unquote(path).rstrip("/")
