"""Refuses every path that a hop further on could read differently from the gateway.

daprd percent-decodes a path once and then resolves dots and double slashes (seen on 1.18.2: `/api/auth/%2e%2e/x`
reaches the app as `/api/x`, and `%252e` as `%2e`), so what the prefix table judged would not be what the app gets.
"""

import re
from urllib.parse import unquote_to_bytes

from omnify_gateway.errors import MalformedPath

_SEGMENT = rb"(?!\.{1,2}(?:[/;]|\Z))[A-Za-z0-9\-._~!$&'()*+,;=:@]+"
_PLAIN = re.compile(rb"/|(?:/" + _SEGMENT + rb")+/?")
_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*")
_QUERY = re.compile(rb"[\x21-\x7e]*")
_FORBIDDEN = re.compile(rb"[\x00-\x1f\x7f\\?#%]")


def check(path: bytes, query: bytes) -> None:
    """Raises MalformedPath unless the raw `path` means the same to everyone and `query` is printable ASCII."""
    if not _PLAIN.fullmatch(path):
        _check_encoded(path)
    if query and not _QUERY.fullmatch(query):
        raise MalformedPath("The query holds characters that must be percent-encoded.")


def _check_encoded(path: bytes) -> None:
    if b"%" not in path or not _ENCODED.fullmatch(path):
        raise MalformedPath("The path has an empty or dot segment, a bad escape or a character that must be encoded.")
    if b"//" in path:
        raise MalformedPath("The path has an empty segment.")
    for segment in path.split(b"/"):
        _check_segment(unquote_to_bytes(segment))


def _check_segment(decoded: bytes) -> None:
    if b"/" in decoded or _FORBIDDEN.search(decoded):
        raise MalformedPath("The path has an encoded separator or control character.")
    if decoded.split(b";")[0] in {b".", b".."}:
        raise MalformedPath("The path has an encoded dot segment.")
    try:
        decoded.decode()
    except UnicodeDecodeError:
        raise MalformedPath("The path is not UTF-8.") from None
