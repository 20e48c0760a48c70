"""R13: the clock of auth differs from all others: within the leeway nobody notices, beyond it they are told why."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from faults.ledger import Drill
from faults.stage import Stage
from omnify_local.journey import Marketer, token_in
from omnify_shared.testing import Platform

pytestmark = pytest.mark.timeout(400)
IMPORTS, ME = "/api/analytics/imports", "/api/auth/me"
# Seconds that auth is ahead; tokens live 300, so that an auth that is 360 behind makes none that is still good.
WITHIN = (20, -20)
BEYOND = {360: "not valid yet", -360: "has expired"}
TWO_HOURS = 7200


def libfaketime() -> Path:
    """The library that moves a process's clock (Debian's package faketime)."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed")
    return found[0]


@asynccontextmanager
async def auth_ahead(platform: Platform, seconds: int) -> AsyncIterator[None]:
    """Auth runs with its clock so many seconds ahead; timers keep their own, unmoved clock."""
    auth, moved = platform.services["auth"], {
        "LD_PRELOAD": str(libfaketime()), "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"
    }  # fmt: skip
    given = auth.environment
    try:
        auth.environment = {**given, **moved}
        await asyncio.to_thread(restarted, platform)
        yield
    finally:
        auth.environment = given
        await asyncio.to_thread(restarted, platform)


def restarted(platform: Platform) -> None:
    """Stops auth in order and starts it in its new environment."""
    platform.services["auth"].terminate()
    platform.services["auth"].start(timeout=90)
    platform.wait(only=["auth"])


@pytest.fixture
def marketer(stage: Stage) -> Iterator[Marketer]:
    made = Marketer(stage.platform.url)
    yield made
    made.close()


@pytest.mark.drill("R13", "clocks that differ by less than the leeway")
async def test_within_the_leeway_nobody_notices(drill: Drill, stage: Stage) -> None:
    for seconds in drill.pick(WITHIN[:1], WITHIN):
        async with auth_ahead(stage.platform, seconds):
            await asyncio.to_thread(whole_journey, drill, stage, f"auth {seconds:+d} s")
    drill.settle()


def whole_journey(drill: Drill, stage: Stage, name: str) -> None:
    """From sign-up to the end of the session; every service takes the tokens, and stops to."""
    marketer = Marketer(stage.platform.url)
    drill.ledger.acknowledge(name)
    try:
        marketer.join(stage.platform.inbox, timeout=60)
        for _ in range(2):
            marketer.ask("GET", IMPORTS, 200)
            marketer.ask("GET", ME, 200)
            marketer.refresh()
        marketer.seconds_until_refused(marketer.log_out(), IMPORTS, limit=60)
        drill.ledger.find(name)
    finally:
        marketer.close()


@pytest.mark.drill("R13", "clocks that differ by minutes", short=False)
@pytest.mark.parametrize("seconds", list(BEYOND))
async def test_beyond_the_leeway_the_refusal_says_why(
    drill: Drill, stage: Stage, marketer: Marketer, seconds: int
) -> None:
    async with auth_ahead(stage.platform, seconds):
        await asyncio.to_thread(marketer.join, stage.platform.inbox, timeout=60)
        headers = {"authorization": f"Bearer {marketer.tokens['access_token']}"}
        refused = await asked(marketer, IMPORTS, headers)
        told = refused.json().get("detail", "")
        drill.ledger.check(refused.status_code == 401 and BEYOND[seconds] in told, f"{refused.status_code} {told}")
        taken = await asked(marketer, ME, headers)
        drill.ledger.check(taken.status_code == 200, f"auth refuses its own token: {taken.text[:200]}")
    await asyncio.to_thread(marketer.log_in)
    answer = await asked(marketer, IMPORTS, {"authorization": f"Bearer {marketer.tokens['access_token']}"})
    drill.ledger.check(answer.status_code == 200, f"with the clocks right again: {answer.status_code}")
    drill.settle()


async def asked(marketer: Marketer, path: str, headers: dict[str, str]) -> httpx.Response:
    return await asyncio.to_thread(marketer.http.get, path, headers=headers)


@pytest.mark.drill("R13", "a mailed link after its hour", short=False)
async def test_a_mailed_link_is_over_after_its_hour(drill: Drill, stage: Stage, marketer: Marketer) -> None:
    inbox = stage.platform.inbox
    await asyncio.to_thread(marketer.register)
    late = token_in((await asyncio.to_thread(inbox.wait_for, marketer.email, timeout=60))[-1])
    async with auth_ahead(stage.platform, TWO_HOURS):
        answer = await asyncio.to_thread(marketer.http.post, "/api/auth/verify-email", json={"token": late})
        drill.ledger.check(answer.status_code == 400, f"a link of two hours ago: {answer.status_code}")
        body = {"email": marketer.email}
        await asyncio.to_thread(marketer.http.post, "/api/auth/verify-email/resend", json=body)
        mails = await asyncio.to_thread(inbox.wait_for, marketer.email, count=2, timeout=60)
        await asyncio.to_thread(marketer.verify, token_in(mails[-1]))
        await asyncio.to_thread(marketer.log_in)
    drill.settle()
