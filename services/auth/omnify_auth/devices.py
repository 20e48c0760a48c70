"""What the server sees of the device that somebody signs in from."""

import re
from dataclasses import dataclass
from hashlib import sha256

from ua_parser import parse

from omnify_shared.networks import network_of

_VERSIONS = re.compile(r"\d[\d._]*")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 .+/-]{0,39}")


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as the server saw the request; never what its body claims."""

    address: str | None
    user_agent: str | None

    @property
    def network(self) -> str | None:
        """The address' surroundings (`203.0.113.0/24`, `2001:db8:1::/48`)."""
        return network_of(self.address)

    def device_id(self, user_id: str) -> str:
        """The same for the same program on the same system, whatever their versions; of one user alone."""
        program = _VERSIONS.sub("", self.user_agent or "")
        return sha256(f"{user_id}\n{program}".encode()).hexdigest()[:32]


def described(user_agent: str | None) -> str | None:
    """A user agent in words (`Firefox on Linux`), safe to be mailed; None for one that nobody knows."""
    if not user_agent:
        return None
    seen = parse(user_agent)
    families = [found.family for found in (seen.user_agent, seen.os) if found]
    plain = [family for family in families if _PLAIN.fullmatch(family)]
    return " on ".join(plain) or None
