"""Secrets through the sidecar's secret store, cached for a while so that a rotated one is picked up."""

import time
from collections.abc import Iterable

from omnify_shared.access import UndeclaredUse
from omnify_shared.dapr.errors import MissingSecret, SidecarError, SidecarUnavailable
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.settings import Environment

STORE = "secretstore"
CACHE = 300.0  # seconds
PLACEHOLDERS = frozenset({"", "change-me", "changeme", "default", "secret", "password", "test", "development"})
MIN_LENGTH = 16  # characters, outside development


class Secrets:
    """The secrets that this app declares (access.py)."""

    def __init__(self, sidecar: Sidecar, environment: Environment, declared: Iterable[str]) -> None:
        self._declared = frozenset(declared)
        self._sidecar = sidecar
        self._environment = environment
        self._cache: dict[str, tuple[float, str]] = {}

    async def get(self, name: str) -> str:
        """The secret's value; an old one while the sidecar is away.

        Raises: MissingSecret when there is none, the app may not read it, or its value is a placeholder outside
        development; SidecarUnavailable; UndeclaredUse, which is a defect.
        """
        if name not in self._declared:
            raise UndeclaredUse(f"secret {name!r} is read and not declared: see access.py")
        cached = self._cache.get(name)
        if cached and time.monotonic() - cached[0] < CACHE:
            return cached[1]
        try:
            value = await self._fetch(name)
        except SidecarUnavailable:
            if cached:
                return cached[1]
            raise
        if self._environment == "production" and (value.lower() in PLACEHOLDERS or len(value) < MIN_LENGTH):
            raise MissingSecret(f"secret {name!r} has a default or too short value; set a real one")
        self._cache[name] = (time.monotonic(), value)
        return value

    async def _fetch(self, name: str) -> str:
        try:
            answer = await self._sidecar.call(self._sidecar.client.get_secret(STORE, name))
        except SidecarError as error:
            if error.code in {"PERMISSION_DENIED", "NOT_FOUND", "INTERNAL"}:
                raise MissingSecret(f"secret {name!r} can't be read ({error.code})") from error
            raise
        value = answer.secret.get(name)
        if value is None:
            raise MissingSecret(f"secret {name!r} is not in the secret store")
        return str(value)
