"""Which headers cross the gateway, and what it adds.

Dropped both ways: hop-by-hop headers and those that Connection names (RFC 9110 §7.6.1). Dropped inbound: everything
that a service would believe because a sidecar or the gateway says it (`dapr-*`, `x-forwarded-*`, `forwarded`), and
cookies, but on the way to a page that has them: the cookie of a signed-in browser is auth's alone.
"""

import re
from typing import Any

from omnify_gateway.errors import HeadersTooLarge
from omnify_gateway.wire import Header
from omnify_shared import context

_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
_REQUEST_DROPPED = _HOP_BY_HOP | {
    b"content-length",
    b"expect",
    b"forwarded",
    b"host",
    b"traceparent",
    b"x-real-ip",
    b"x-request-id",
}
_WITHOUT_COOKIES = _REQUEST_DROPPED | {b"cookie"}
_RESPONSE_DROPPED = _HOP_BY_HOP | {b"content-length", b"date", b"server", b"x-request-id"}
_SECRET_QUERY = re.compile(rb"(token|secret|passw|code|key|sign|assertion|credential|auth)[^=&]*=", re.IGNORECASE)

OWN_COOKIE = b"__Host-omnify"  # of a browser that signed in on auth's pages
API_SECURITY: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
SITE_SECURITY: tuple[Header, ...] = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
STRICT_TRANSPORT: Header = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
# A service may say these itself; the others are the gateway's word alone.
_SERVICE_MAY_SET = {b"cache-control", b"referrer-policy", b"content-security-policy", b"cross-origin-resource-policy"}


def first(headers: list[Header], name: bytes) -> bytes | None:
    """The first value of a header; names are in lower case as ASGI has them."""
    for key, value in headers:
        if key == name:
            return value
    return None


def usable_request_id(headers: list[Header]) -> bytes | None:
    """The caller's request id when it is short and plain, so that it can stand in a log and a header."""
    value = first(headers, b"x-request-id")
    return value if value and context.usable_request_id(value.decode("latin-1")) else None


def traced(traceparent: bytes, query: bytes) -> bytes:
    """The trace parent for the next hop; not sampled when the query may hold a secret, as sidecars put the whole
    query into their spans."""
    return traceparent[:-2] + b"00" if query and _SECRET_QUERY.search(query) else traceparent


def forwarded(headers: list[Header], limit: int, *, cookies: bool) -> list[bytes]:
    """The caller's headers as lines for the next hop. Raises HeadersTooLarge above `limit` bytes."""
    dropped = _REQUEST_DROPPED if cookies else _WITHOUT_COOKIES
    connection = first(headers, b"connection")
    if connection and connection.lower() not in (b"keep-alive", b"close"):
        dropped = dropped | {token.strip().lower() for token in connection.split(b",")}
    lines = [
        name + b": " + value
        for name, value in headers
        if name not in dropped and name[:5] != b"dapr-" and name[:12] != b"x-forwarded-"
    ]
    if sum(map(len, lines)) + 2 * len(lines) > limit:
        raise HeadersTooLarge(f"The headers exceed {limit} bytes.")
    return lines


def for_monolith(headers: list[Header]) -> list[Header]:
    """The caller's headers for the monolith, which has cookies of its own and no business with ours."""
    return [(name, _foreign(value)) if name == b"cookie" else (name, value) for name, value in headers]


def _foreign(cookies: bytes) -> bytes:
    return b"; ".join(one for one in cookies.split(b"; ") if not one.strip().startswith(OWN_COOKIE + b"="))


def client_address(scope: Any, trusted_hops: int) -> bytes:
    """The caller's address: the peer's, or the entry that the outermost trusted proxy wrote."""
    peer = scope["client"][0].encode() if scope.get("client") else b"unknown"
    if not trusted_hops:
        return bytes(peer)
    chain = [part.strip() for key, value in scope["headers"] if key == b"x-forwarded-for" for part in value.split(b",")]
    return chain[-min(trusted_hops, len(chain))] if chain else bytes(peer)


def scheme(scope: Any, trusted_hops: int) -> bytes:
    """`http` or `https` as the caller used it."""
    said = first(scope["headers"], b"x-forwarded-proto") if trusted_hops else None
    return said if said in (b"http", b"https") else scope["scheme"].encode()


def answered(headers: list[Header], security: tuple[Header, ...]) -> list[Header]:
    """A service's headers for the caller, with the security headers of `security`."""
    dropped = _RESPONSE_DROPPED
    connection = first(headers, b"connection")
    if connection and connection.lower() not in (b"keep-alive", b"close"):
        dropped = dropped | {token.strip().lower() for token in connection.split(b",")}
    kept = [header for header in headers if header[0] not in dropped and header[0][:5] != b"dapr-"]
    return harden(kept, security)


def harden(headers: list[Header], security: tuple[Header, ...]) -> list[Header]:
    """Adds the security headers; a value of the service stays where it may set one."""
    present = {name for name, _ in headers}
    for header in security:
        name = header[0]
        if name not in present:
            headers.append(header)
        elif name not in _SERVICE_MAY_SET:
            headers = [*(other for other in headers if other[0] != name), header]
    return headers
