"""People and strangers at the doors of two services while auth's signing keys are rotated."""

from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import jwt

from faults.load import Caller
from omnify_shared.testing import Platform
from support.tokens import Signer

DOORS = ("/api/analytics/imports", "/api/auth/me")
STRANGERS = 10  # every tenth request


@dataclass
class Visitors:
    """People with sessions, who refresh now and then, and strangers between them."""

    caller: Caller
    sessions: list[dict[str, Any]]
    withdrawn: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    let_in: int = 0
    good: int = 0
    exchanged: set[str] = field(default_factory=set)
    stranger: Signer = field(default_factory=lambda: Signer("made-up"))

    async def ask(self, number: int) -> None:
        """One request."""
        if number % STRANGERS == 0:
            return await self._try_in(number)
        session = self.sessions[number % len(self.sessions)]
        token = str(session["access_token"])
        answer = await self.caller.ask("good", "GET", DOORS[number % 2], token)
        if answer is not None and answer.status_code == 200:
            self.good += 1
        elif answer is not None and answer.status_code == 401 and kid_of(token) in self.withdrawn:
            await self.exchange(session)
        else:
            self.wrong.append(f"{DOORS[number % 2]} {answer.status_code if answer else 'none'}: {told(answer)}")

    async def _try_in(self, number: int) -> None:
        kid = f"made-up-{number}"
        self.stranger.add(kid)
        answer = await self.caller.ask("stranger", "GET", DOORS[number // STRANGERS % 2], self.stranger.token(kid))
        self.let_in += answer is None or answer.status_code != 401

    async def exchange(self, session: dict[str, Any]) -> None:
        """The next tokens of a session."""
        old = str(session["refresh_token"])
        answer = await self.caller.ask("refresh", "POST", "/api/auth/refresh", json={"refresh_token": old})
        if answer is None or answer.status_code != 200:
            self.wrong.append(f"refresh: {told(answer)}")
        else:
            session.update(answer.json())


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def told(answer: httpx.Response | None) -> str:
    return answer.text[:120] if answer else "no answer"


async def rotated(platform: Platform, *, leaked: bool) -> list[str]:
    """What an operator does; the key ids that are published then."""
    own = platform.services["auth"].sidecar
    async with httpx.AsyncClient(base_url=own.url, headers=own.headers, timeout=30) as operator:
        path = f"/v1.0/invoke/auth/method/internal/keys/rotate?leaked={str(leaked).lower()}"
        answer = (await operator.post(path)).raise_for_status()
    return [key["kid"] for key in answer.json()["keys"]]
