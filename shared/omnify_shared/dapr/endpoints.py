"""Where the sidecar's APIs are: beside the app on loopback, or remote, as a function of a cloud reaches them.

`DAPR_HTTP_ENDPOINT` and `DAPR_GRPC_ENDPOINT` are Dapr's own names (https://docs.dapr.io/reference/environment/).
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API of the sidecar: `https://dapr.example.com`, `http://127.0.0.1:3500`."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an address. Raises ValueError, never with the text, which could hold a password."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port or _PORTS[parts.scheme]
        except (KeyError, ValueError):
            raise ValueError("a sidecar's endpoint must look like https://host:port") from None
        if not parts.hostname or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("a sidecar's endpoint must look like https://host:port, and nothing more")
        return cls(parts.scheme, parts.hostname, port)

    @classmethod
    def beside(cls, port: int) -> Self:
        """The sidecar on this machine."""
        return cls("http", "127.0.0.1", port)

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def in_the_clear(self) -> bool:
        """Whether the API token would cross a network that anybody may listen to."""
        return not self.tls and self.host not in _LOOPBACK

    @property
    def authority(self) -> str:
        """`host:port`, as a gRPC channel takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The start of an HTTP address, without a slash at its end."""
        return f"{self.scheme}://{self.authority}"
