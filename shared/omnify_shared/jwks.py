"""Auth's public keys (RFC 7517): fetched through the sidecar, kept, and fetched again for an unknown `kid`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import structlog
from jwt import PyJWK

from omnify_shared.access import Call
from omnify_shared.dapr.errors import PeerUnavailable, SidecarError
from omnify_shared.invocation import Invoker
from omnify_shared.problems import Unauthorized

log = structlog.get_logger()
JWKS = Call("auth", "GET", "/.well-known/jwks.json")
JWKS_MAX_AGE = 300.0  # seconds
JWKS_MIN_INTERVAL = 2.0  # seconds between fetches for unknown key ids
JWKS_RETRY_INTERVAL = 0.5  # seconds between fetches that fail
MAX_WAITING = 64  # requests with an unknown key id that wait for the next fetch; more are refused at once
ALGORITHM = "ES256"
Jwks = dict[str, Any]
KeySource = Callable[[], Awaitable[Jwks]]


class JwksCache:
    """Auth's public keys by `kid`."""

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._failure: SidecarError | None = None
        self._fetching = asyncio.Lock()
        self._waiting = 0

    async def key(self, kid: str) -> PyJWK:
        """The key of that id. Raises Unauthorized for an unknown one, SidecarError when keys can't be had."""
        if not self._is_fresh(kid):
            await self._refresh(kid)
        found = self._keys.get(kid)
        if found is None:
            raise Unauthorized("the access token's key is unknown")
        return found

    def _is_fresh(self, kid: str) -> bool:
        return kid in self._keys and time.monotonic() - self._fetched_at < JWKS_MAX_AGE

    async def _refresh(self, kid: str) -> None:
        asked = time.monotonic()
        if self._waiting >= MAX_WAITING and kid not in self._keys:
            return
        self._waiting += 1
        try:
            async with self._fetching:
                if self._tried_at <= asked and not self._is_fresh(kid):
                    await self._fetch_when_due(kid)
        finally:
            self._waiting -= 1
        if self._failure and kid not in self._keys:
            raise PeerUnavailable(self._failure.detail)

    async def _fetch_when_due(self, kid: str) -> None:
        """Fetches, unless that was tried a moment ago; a key that is not known waits for that moment to be over.

        It may be a new key of auth, and whoever sends made-up ones must not have the next good token refused.
        """
        due = self._tried_at + (JWKS_RETRY_INTERVAL if self._failure else JWKS_MIN_INTERVAL)
        if kid not in self._keys and not self._failure:
            await _until(due)
        if time.monotonic() >= due:
            await self._fetch()

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            self._keys = _usable(await self._source())
            self._failure, self._fetched_at = None, time.monotonic()
        except SidecarError as error:
            self._failure = error


async def _until(due: float) -> None:
    """Returns at that monotonic time or later. uvloop's timers count whole milliseconds, so one sleep may be early."""
    while (left := due - time.monotonic()) > 0:  # noqa: ASYNC110 - nothing could tell that it is time but a clock
        await asyncio.sleep(left)


def _usable(document: Any) -> dict[str, PyJWK]:
    """The EC keys of a JWK Set; what can't be one is left out. Raises PeerUnavailable when it is no key set."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise PeerUnavailable("auth does not publish its keys now")
    keys = {}
    for jwk in listed:
        try:
            if jwk["kty"] == "EC" and isinstance(jwk["kid"], str):
                keys[jwk["kid"]] = PyJWK(jwk, algorithm=ALGORITHM)
        except (KeyError, TypeError, ValueError, jwt.PyJWTError) as error:
            log.warning("unusable key in the key set", reason=str(error))
    return keys


def jwks_of_auth(invoker: Invoker) -> KeySource:
    """Auth's JWKS through the sidecar."""

    async def fetch() -> Jwks:
        reply = await invoker.request(JWKS)
        if reply.status != 200:
            raise PeerUnavailable("auth does not publish its keys now")
        try:
            keys: Jwks = reply.json()
        except ValueError as error:
            raise PeerUnavailable("auth does not publish its keys now") from error
        return keys

    return fetch
