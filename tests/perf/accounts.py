"""Many accounts for sign-ins: one account alone would soon be at the limit of its sessions, which few people are."""

import json
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx

from omnify_local.inbox import Inbox
from omnify_local.journey import token_in

MANY = 200
AGENT = {"user-agent": "Omnify benchmark"}
"""Of everybody who signs in: from another device each sign-in would be told by mail, which is another measurement."""
PASSWORD = "seven quiet herons wade at dawn"
_AT_ONCE = 4


def fresh_address() -> str:
    """An address that nobody has."""
    return f"ada.{secrets.token_hex(8)}@example.com"


def form(name: str) -> dict[str, str]:
    """What a registration says, but for the address."""
    return {"password": PASSWORD, "full_name": f"Ada {name}", "organization_name": "Engines"}


def credentials(email: str) -> str:
    """The body of a sign-in."""
    return json.dumps({"email": email, "password": PASSWORD})


class Accounts:
    """Proven accounts, each with an organisation of its own, made through the gateway as people make them."""

    def __init__(self, url: str, inbox: Inbox, count: int = MANY) -> None:
        self.addresses = [fresh_address() for _ in range(count)]
        self._url, self._inbox, self._next = url, inbox, 0
        self._each(self._register, self.addresses)
        self._each(self._prove, self.addresses)

    @property
    def bodies(self) -> tuple[str, ...]:
        """Of a sign-in of each."""
        return tuple(map(credentials, self.addresses))

    def sign_in(self, count: int) -> list[dict[str, Any]]:
        """The answers to as many sign-ins, of one account after the other."""
        chosen = [self.addresses[(self._next + number) % len(self.addresses)] for number in range(count)]
        self._next += count
        return self._each(lambda client, email: _posted(client, "login", json.loads(credentials(email))), chosen)

    def _each(self, act: Callable[[httpx.Client, str], Any], emails: Iterable[str]) -> list[Any]:
        with (
            httpx.Client(base_url=self._url, timeout=60, headers=AGENT) as client,
            ThreadPoolExecutor(_AT_ONCE) as pool,
        ):
            return list(pool.map(lambda email: act(client, email), emails))

    @staticmethod
    def _register(client: httpx.Client, email: str) -> None:
        _posted(client, "register", {"email": email, **form("x")})

    def _prove(self, client: httpx.Client, email: str) -> None:
        _posted(client, "verify-email", {"token": token_in(self._inbox.wait_for(email, timeout=120)[-1])})


def _posted(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/auth/{path}", json=body).raise_for_status().json()
