"""Which addresses an endpoint may have (SSRF): those of the public internet, by a list of our own.

`ipaddress.is_global` alone says yes to multicast, NAT64, 6to4 and the 6to4 relays, each a way back inside. Addresses
that carry another one (mapped, NAT64, 6to4) are taken for unsafe as they are: no public receiver needs them.
"""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from omnify_webhooks.errors import UnsafeTarget

# IANA's special-purpose registries (RFC 6890), which hold the clouds' metadata address too, and multicast.
_FORBIDDEN_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's wire server, public by its number alone
    )
)  # fmt: skip
# Of IPv6 only 2000::/3 is given out; within it these are not the public internet.
_PUBLIC_V6 = IPv6Network("2000::/3")
_FORBIDDEN_V6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
LONGEST_URL = 2048  # characters


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public internet; False for what is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _FORBIDDEN_V4)
    if address.scope_id is not None or address not in _PUBLIC_V6:
        return False
    return not any(address in network for network in _FORBIDDEN_V6)


def is_literal(host: str) -> bool:
    """Whether a host is an address and not a name."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


class Guard:
    """Says which URLs may be called, before anything is resolved; the connector asks again about the address."""

    def __init__(self, ports: Collection[int], exempt: Collection[str]) -> None:
        self._ports = frozenset(ports)
        self._exempt = frozenset(exempt)

    def exempts(self, host: str, port: int) -> bool:
        """Whether the settings name this very target."""
        return f"{host}:{port}" in self._exempt

    def check_url(self, url: str) -> None:
        """Raises UnsafeTarget with the reason."""
        parts, port = _split(url)
        host = parts.hostname or ""
        if parts.username is not None or parts.password is not None:
            raise UnsafeTarget("the URL may hold no user name or password")
        if parts.fragment:
            raise UnsafeTarget("the URL may have no fragment")
        if self.exempts(host, port) and parts.scheme in {"http", "https"}:
            return
        if parts.scheme != "https":
            raise UnsafeTarget("the URL must start with https://")
        if port not in self._ports:
            raise UnsafeTarget(f"port {port} is not allowed; allowed: {', '.join(map(str, sorted(self._ports)))}")
        if is_literal(host):
            self.check_address(host, port, host)
        elif "." not in host.strip(".") or host.rstrip(".").rpartition(".")[2].isdecimal():
            raise UnsafeTarget("the URL must name a public host")

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raises UnsafeTarget for an address, found for `host`, that is not of the public internet."""
        if not (is_public(address) or self.exempts(host, port)):
            raise UnsafeTarget("the host is not on the public internet")


def _split(url: str) -> tuple[SplitResult, int]:
    if len(url) > LONGEST_URL or not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise UnsafeTarget(f"the URL must be ASCII without spaces, at most {LONGEST_URL} characters")
    try:
        parts = urlsplit(url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        raise UnsafeTarget("not a URL") from None
    if not parts.hostname or "\\" in url or "%" in parts.netloc:
        raise UnsafeTarget("the URL must name a host")
    return parts, port
