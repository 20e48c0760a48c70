"""Where a request came from, as far as it is kept: tells places apart, and people not."""

from ipaddress import ip_address, ip_network

_PREFIX = {4: 24, 6: 48}  # what is kept of an address, in bits


def client_address(forwarded_for: str | None) -> str | None:
    """The first address of the chain: the gateway drops what callers send, and sidecars only add behind it."""
    try:
        return str(ip_address(forwarded_for.split(",")[0].strip())) if forwarded_for else None
    except ValueError:
        return None


def network_of(address: str | None) -> str | None:
    """The surroundings of an address: `203.0.113.0/24`, `2001:db8:1::/48`."""
    if address is None:
        return None
    known = ip_address(address)
    return str(ip_network((known, _PREFIX[known.version]), strict=False))
