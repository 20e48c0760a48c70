"""The published keys."""

from typing import Literal

from omnify_auth.schemas.types import Output


class KeyOut(Output):
    """A public key on the curve P-256 (RFC 7517, RFC 7518 §6.2)."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    use: Literal["sig"]
    alg: Literal["ES256"]
    kid: str


class KeysOut(Output):
    """The keys by `kid`: the signing one, the next one an hour before it signs, and past ones while tokens live."""

    keys: tuple[KeyOut, ...]
