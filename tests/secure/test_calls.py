"""Every app against every operation of every peer: the declared ones reach the app, the others end at its sidecar."""

import asyncio
import re
from dataclasses import dataclass
from itertools import product

import aiohttp
import pytest
from yarl import URL

from omnify_local.access.grants import routes_of
from omnify_shared.access import OPERATOR
from omnify_shared.testing import Sidecar
from secure.stage import STRANGER, Stage

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ELSEWHERE = {"GET", "POST"}
SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
AT_ONCE = 16


@dataclass(frozen=True, order=True)
class Attempt:
    """One call; `expected` is whether it is to reach the app."""

    caller: str
    callee: str
    method: str
    path: str
    expected: bool

    def __str__(self) -> str:
        return f"{self.caller} → {self.callee} {self.method} {self.path}"


def declared(stage: Stage, caller: str, callee: str, method: str, path: str) -> bool:
    """Whether the apps say that this call is made: read off their declarations, not off the made lists."""
    if caller == OPERATOR:
        return any(
            OPERATOR in callers and (call.method, call.path) == (method, path)
            for call, callers in routes_of(stage.services[callee])
        )
    if caller == STRANGER:
        return False
    access = stage.services[caller].app.state.access
    exact = any((one.app_id, one.method, one.path) == (callee, method, path) for one in access.calls)
    return exact or any(
        one.app_id == callee and method in one.methods and (path == one.path or path.startswith(f"{one.path}/"))
        for one in access.prefixes
    )


def everything(stage: Stage) -> list[Attempt]:
    """Every caller and every path that any service has, at every service: with every method at the path's own one."""
    own = {name: {call.path for call, _ in routes_of(service)} for name, service in stage.services.items()}
    paths = sorted(set().union(*own.values()))
    return [
        Attempt(
            caller, callee, method, re.sub(r"\{[^/]+\}", SOME_ID, path), declared(stage, caller, callee, method, path)
        )
        for caller, callee, method, path in product(stage.sidecars, stage.services, METHODS, paths)
        if caller != callee and (method in ELSEWHERE or path in own[callee])
    ]


class Caller:
    """Calls through sidecars, `AT_ONCE` at a time; paths go out as they are written."""

    def __init__(self, stage: Stage, session: aiohttp.ClientSession) -> None:
        self._sidecars, self._session = stage.sidecars, session
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def outcome(self, caller: str, callee: str, method: str, path: str) -> str:
        """`reached` the app, `denied` by its sidecar, or whatever came."""
        sidecar: Sidecar = self._sidecars[caller]
        headers = sidecar.headers | {"dapr-app-id": callee}
        url = URL(sidecar.url + path, encoded=True)
        async with self._gate, self._session.request(method, url, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
        if "x-request-id" in answer.headers:
            return "reached"
        if answer.status == 403 and (method == "HEAD" or "access control policy has denied access" in text):
            return "denied"
        return f"{answer.status} {text[:200]}"


@pytest.mark.timeout(600)
async def test_the_whole_matrix(stage: Stage) -> None:
    attempts = everything(stage)
    allowed = [attempt for attempt in attempts if attempt.expected]
    async with aiohttp.ClientSession() as session:
        caller = Caller(stage, session)
        outcomes = await asyncio.gather(
            *(caller.outcome(one.caller, one.callee, one.method, one.path) for one in attempts)
        )
    wrong = [
        f"{attempt}: {outcome}"
        for attempt, outcome in zip(attempts, outcomes, strict=True)
        if outcome != ("reached" if attempt.expected else "denied")
    ]
    print(f"{len(attempts)} calls, {len(allowed)} reach their app, {len(attempts) - len(allowed)} are refused")
    assert not wrong, "\n".join(wrong[:20])
    assert {attempt.caller for attempt in allowed} == {*stage.services, OPERATOR}


ESCAPES = (
    "/api/auth/../../internal/users/x/contact",
    "/api/auth/%2e%2e/%2e%2e/internal/users/x/contact",
    "/api/auth/..%2f..%2finternal/users/x/contact",
    "/api/auth/%2e%2e%2f%2e%2e%2finternal%2fusers%2fx%2fcontact",
    "/api/./../internal/users/x/contact",
    "//internal/users/x/contact",
    "/internal//users/x/contact",
    "/INTERNAL/users/x/contact",
    "/internal/users/x/contact/",
    "/internal/users/x/contact?/api/auth/",
    "/api/auth/..;/..;/internal/users/x/contact",
    "/api/authx/me",
    "/api",
)


@pytest.mark.parametrize("path", ESCAPES)
async def test_no_spelling_of_a_path_leads_elsewhere(stage: Stage, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        outcome = await Caller(stage, session).outcome("gateway", "auth", "GET", path)
        by_url = await Caller(stage, session).outcome("gateway", "auth", "GET", f"/v1.0/invoke/auth/method{path}")
    for seen in (outcome, by_url):
        # Within /api/auth the app is asked, and has nothing there; nothing below /internal is ever reached.
        assert seen == "denied" or (";" in path and seen == "reached"), seen


async def test_an_app_cannot_call_under_another_name(stage: Stage) -> None:
    """The header that names the caller is the sidecar's, whatever the app sends; the certificate is what counts."""
    sidecar = stage.sidecars["analytics"]
    headers = sidecar.headers | {"dapr-app-id": "auth", "dapr-caller-app-id": "email"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{sidecar.url}/internal/users/{SOME_ID}/contact", headers=headers) as answer,
    ):
        assert (answer.status, "denied access" in await answer.text()) == (403, True)
