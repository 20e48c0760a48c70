"""API keys at the door: each is exchanged at auth for an access token, so services know of tokens alone.

A token is used for a minute; a revoked key's is refused by the services themselves within seconds, as every ended
session's is.
"""

import time
from collections import OrderedDict
from hashlib import sha256

from omnify_gateway.wire import Header
from omnify_shared.access import Call
from omnify_shared.invocation import Invoker
from omnify_shared.problems import Unauthorized, Unavailable

EXCHANGE = Call("auth", "POST", "/internal/api-keys/exchange")
KEPT = 4096  # tokens
AGE = 60.0  # seconds
_SCHEME = b"bearer omn_"
_LONGEST = 256  # characters


class ApiKeys:
    """Knows keys only by their digests."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    async def exchanged(self, headers: list[Header]) -> list[Header]:
        """The headers with an access token for an API key, or the very same ones. Raises Unauthorized, Unavailable."""
        for number, (name, value) in enumerate(headers):
            if name == b"authorization" and value[: len(_SCHEME)].lower() == _SCHEME:
                token = await self._token(value[len(b"bearer ") :].strip())
                return [*headers[:number], (name, b"Bearer " + token), *headers[number + 1 :]]
        return headers

    def forget(self, headers: list[Header]) -> None:
        """Makes the next request of a key exchange it anew: its token was refused."""
        for name, value in headers:
            if name == b"authorization" and value[: len(_SCHEME)].lower() == _SCHEME:
                self._kept.pop(_digest(value[len(b"bearer ") :].strip()), None)

    async def _token(self, key: bytes) -> bytes:
        digest = _digest(key)
        known = self._kept.get(digest)
        if known and time.monotonic() < known[0]:
            return known[1]
        token = await self._ask(key)
        self._kept.pop(digest, None)
        self._kept[digest] = (time.monotonic() + AGE, token)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return token

    async def _ask(self, key: bytes) -> bytes:
        if len(key) > _LONGEST or not key.isascii():
            raise Unauthorized("not an API key")
        reply = await self._invoker.request(EXCHANGE, json={"api_key": key.decode()})
        if reply.status == 200:
            return str(reply.json()["access_token"]).encode()
        if reply.status in (401, 422):
            raise Unauthorized("the API key is unknown, has expired or was revoked")
        raise Unavailable("API keys can't be checked now", retry_after=2)


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()
