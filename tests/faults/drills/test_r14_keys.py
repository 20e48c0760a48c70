"""R14: the signing keys are rotated while people ask and strangers try made-up keys; no good token is refused."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import jwt
import pytest

from faults.ledger import Drill
from faults.load import Caller, Load
from faults.stage import Stage
from omnify_local.journey import Marketer
from omnify_shared.testing import Platform
from support.tokens import Signer

pytestmark = pytest.mark.timeout(300)
DOORS = ("/api/analytics/imports", "/api/auth/me")
STRANGERS = 10  # every tenth request
VERIFIERS = 2  # services that fetch the keys by invocation: analytics, and email should it ever be asked
BETWEEN = 2.0  # seconds between fetches for unknown keys


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


def fetches(platform: Platform) -> int:
    """How often auth was asked for its keys, as its log says."""
    lines = platform.services["auth"].log.read_text().splitlines()
    return sum(1 for line in lines if '"event":"request"' in line and json.loads(line)["route"].endswith("/jwks.json"))


@pytest.mark.drill("R14", "keys rotated while people ask")
async def test_no_good_token_is_refused(drill: Drill, stage: Stage) -> None:
    platform, ledger = stage.platform, drill.ledger
    marketers = [Marketer(platform.url) for _ in range(drill.pick(2, 6))]
    for marketer in marketers:
        await asyncio.to_thread(marketer.join, platform.inbox, timeout=60)
    async with Caller(platform.url) as caller:
        visitors = Visitors(caller, [marketer.tokens for marketer in marketers])
        before, since = fetches(platform), time.monotonic()
        async with Load(drill.pick(20, 50), visitors.ask):
            await ask_and_rotate(drill, platform, visitors)
        asked, seconds = fetches(platform) - before, time.monotonic() - since
    for marketer in marketers:
        marketer.close()
    bound = VERIFIERS * (seconds / BETWEEN + 2)
    ledger.check(not visitors.wrong, f"{len(visitors.wrong)} good tokens refused, such as {visitors.wrong[:3]}")
    ledger.check(not visitors.let_in, f"{visitors.let_in} made-up tokens let in")
    ledger.check(asked <= bound, f"{asked} key fetches in {seconds:.0f} s, more than {bound:.0f}")
    ledger.note(good=visitors.good, strangers=caller.answers.statuses["stranger"].total(), fetches=asked)
    drill.settle()


async def ask_and_rotate(drill: Drill, platform: Platform, visitors: Visitors) -> None:
    """A planned rotation nobody notices, then a leaked key, once or more."""
    pause = drill.pick(1.5, 8)
    await asyncio.sleep(pause)
    published = await rotated(platform, leaked=False)
    drill.ledger.check(len(published) >= 2, "the next key is not published before it signs")
    await asyncio.sleep(pause)
    for _ in range(drill.pick(1, 4)):
        visitors.withdrawn |= set(published)
        published = await rotated(platform, leaked=True)
        visitors.withdrawn -= set(published)
        for session in visitors.sessions:
            await visitors.exchange(session)
        await asyncio.sleep(pause)
