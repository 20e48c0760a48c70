"""Rounds in which a crowd races for what auth gives once, asked of two replicas of auth in turn."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pyotp

from faults.linear import FirstWins, VoidWhenRepeated
from faults.races import CROWD, History, PlatformRaces, Round
from omnify_local.inbox import Inbox
from omnify_local.journey import Marketer, token_in
from omnify_local.ports import free_port
from omnify_shared.ids import new_id
from omnify_shared.testing import Platform, Service, Sidecar
from support.browser import Browser
from support.relying import App

STEP = 30  # seconds of a one-time password
FRESH = 480.0  # seconds that a sign-in is taken for fresh here; ten minutes in auth


@asynccontextmanager
async def two_replicas(platform: Platform) -> AsyncIterator[list[httpx.AsyncClient]]:
    """The platform's auth and another replica of it, each asked as its sidecar would."""
    first = platform.services["auth"]
    other = Service(Sidecar(platform.home, "auth", app_port=free_port()), environment=first.environment)
    other.launch()
    try:
        await asyncio.to_thread(other.sidecar.start)
        await asyncio.to_thread(other.wait, timeout=90)
        clients = [
            httpx.AsyncClient(
                base_url=one.url, headers=one.headers, timeout=90, limits=httpx.Limits(max_connections=CROWD)
            )
            for one in (first, other)
        ]
        yield clients
        for client in clients:
            await client.aclose()
    finally:
        await asyncio.to_thread(other.terminate)
        other.sidecar.kill()


@dataclass(frozen=True)
class InTurn:
    """What an app asks: each request goes to the next replica."""

    replicas: Iterator[httpx.AsyncClient]

    @property
    def auth(self) -> "InTurn":
        """As the tests of auth find their replica."""
        return self

    @property
    def http(self) -> httpx.AsyncClient:
        """The replica whose turn it is."""
        return next(self.replicas)


class Somebody:
    """A person with an account, signed in at a known moment."""

    def __init__(self, marketer: Marketer, signed_in_at: float) -> None:
        self.marketer, self.signed_in_at = marketer, signed_in_at

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self.signed_in_at < FRESH

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.marketer.tokens['access_token']}"}

    @property
    def user(self) -> dict[str, Any]:
        return dict(self.marketer.tokens["user"])


class AuthRaces(PlatformRaces):
    """Each round's requests go to the replicas in turn."""

    def __init__(self, url: str, inbox: Inbox, chances: random.Random, replicas: list[httpx.AsyncClient]) -> None:
        super().__init__(url, inbox, chances)
        self._replicas = replicas
        self._turns = itertools.cycle(replicas)
        self._people: dict[str, Somebody] = {}
        self._apps: dict[Somebody, tuple[App, Browser]] = {}
        self._pair: tuple[Somebody, Somebody] | None = None
        self._open: list[Marketer] = []

    async def close(self) -> None:
        """Closes the connections."""
        await super().close()
        for marketer in self._open:
            marketer.close()

    def _posting(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Callable[[], Any]:
        client = next(self._turns)
        return lambda: client.post(path, json=body, headers=headers)

    async def _ask(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        answer = await self._posting(path, body, headers)()
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def _new(self) -> Somebody:
        marketer = await asyncio.to_thread(Marketer(self._url).join, self._inbox, timeout=90)
        self._open.append(marketer)
        return Somebody(marketer, time.monotonic())

    async def _somebody(self, name: str) -> Somebody:
        """The person of one kind of round, replaced before the sign-in is too old for what is asked of it."""
        if name not in self._people or not self._people[name].fresh:
            self._people[name] = await self._new()
        one = self._people[name]
        await asyncio.to_thread(one.marketer.refresh)
        return one

    async def _race(self, path: str, bodies: Iterable[Any], headers: dict[str, str] | None = None) -> History:
        """All at once; who is answered 2xx has got it."""
        history = History()

        async def ask(number: int, body: Any) -> None:
            await history.call(str(number), self._posting(path, body, headers), lambda it: it.status_code < 300)

        await asyncio.gather(*(ask(number, body) for number, body in enumerate(bodies)))
        return history

    async def activation(self) -> Round:
        """A generator that waits for its first code: put to use once, by whoever is first."""
        one = await self._somebody("activation")
        secret = (await self._ask("/api/mfa/totp/setup", {}, one.headers))["secret"]
        code = pyotp.TOTP(secret).now()
        return Round(await self._race("/api/mfa/totp/verify", [{"code": code}] * CROWD, one.headers), FirstWins())

    async def totp(self) -> Round:
        """One code of a generator. It is activated with the code before, so that this one is not spent yet."""
        one = await self._somebody("totp")
        while True:
            secret = (await self._ask("/api/mfa/totp/setup", {}, one.headers))["secret"]
            generator, now = pyotp.TOTP(secret), time.time()
            before = {"code": generator.at(int(now) - STEP)}
            if (await self._posting("/api/mfa/totp/verify", before, one.headers)()).status_code == 200:
                break
        bodies = [{"code": generator.at(int(now))}] * CROWD
        return Round(await self._race("/api/mfa/totp/verify", bodies, one.headers), FirstWins())

    async def recovery_code(self) -> Round:
        """One recovery code; wrong ones are counted, so everybody has it used only once."""
        one = await self._new()
        secret = (await self._ask("/api/mfa/totp/setup", {}, one.headers))["secret"]
        code = {"code": pyotp.TOTP(secret).now()}
        [recovery, *_] = (await self._ask("/api/mfa/totp/verify", code, one.headers))["recovery_codes"]
        bodies = [{"method": "totp", "recovery_code": recovery}] * CROWD
        return Round(await self._race("/api/mfa/disable", bodies, one.headers), FirstWins())

    async def registration(self) -> Round:
        """An address that a crowd registers: of all mailed links one makes an account, with its maker's password."""
        rivals = [Marketer(self._url, full_name=f"Rival {number}") for number in range(CROWD)]
        for rival in rivals:
            rival.email = rivals[0].email
        forms = [_registration(rival) for rival in rivals]
        registered = await self._race("/api/auth/register", forms)
        mails = await asyncio.to_thread(self._inbox.wait_for, rivals[0].email, count=3, timeout=90)
        tokens = [{"token": token_in(mails[number % len(mails)])} for number in range(CROWD)]
        history = History()

        async def prove(number: int) -> None:
            send = self._posting("/api/auth/verify-email", tokens[number])
            await history.call(str(number), send, lambda it: it.status_code == 200)

        await asyncio.gather(*map(prove, range(CROWD)))
        for rival in rivals:
            rival.close()
        refused = [call for call in registered.calls if call.answer is False]
        return Round(history, FirstWins(), "a registration was refused" if refused else "")

    async def invitation(self) -> Round:
        """The link of an invitation, by which many make an account at once."""
        owner = await self._somebody("inviting")
        email = f"guest.{new_id()}@example.com"
        path = f"/api/organizations/{owner.user['organization_id']}/invitations"
        await self._ask(path, {"email": email, "role": "viewer"}, owner.headers)
        [mail] = await asyncio.to_thread(self._inbox.wait_for, email, timeout=90)
        form = {"token": token_in(mail), "full_name": "Guest", "password": f"a long enough {new_id()} phrase"}
        return Round(await self._race("/api/organizations/invitations/register", [form] * CROWD), FirstWins())

    async def reset_link(self) -> Round:
        """The link for a forgotten password: one of many new passwords is set, and it is the winner's."""
        one = await self._new()
        await self._ask("/api/auth/password-reset", {"email": one.marketer.email})
        [mail] = await asyncio.to_thread(
            self._inbox.wait_for, one.marketer.email, subject="Choose a new password", timeout=90
        )
        forms = [
            {"token": token_in(mail), "new_password": f"another long {new_id()} phrase", "end_other_sessions": False}
            for _ in range(CROWD)
        ]
        history = await self._race("/api/auth/password-reset/confirm", forms)
        won = [int(str(call.asked)) for call in history.calls if call.answer is True]
        wrong = ""
        if len(won) == 1:
            login = {"email": one.marketer.email, "password": forms[won[0]]["new_password"]}
            answer = await self._posting("/api/auth/login", login)()
            wrong = "" if answer.status_code == 200 else f"the winner's password gives {answer.status_code}"
        return Round(history, FirstWins(), wrong)

    async def address_change(self) -> Round:
        """The link that proves a new address."""
        one = await self._somebody("moving")
        email = f"moved.{new_id()}@example.com"
        await self._ask("/api/auth/change-email", {"new_email": email}, one.headers)
        [mail] = await asyncio.to_thread(self._inbox.wait_for, email, timeout=90)
        history = await self._race("/api/auth/change-email/confirm", [{"token": token_in(mail)}] * CROWD)
        one.marketer.email = email
        return Round(history, FirstWins())

    async def authorization_code(self) -> Round:
        """A code that an app exchanges: for one session at most, which ends as the code comes again."""
        one = await self._somebody("signing in to an app")
        if one not in self._apps:
            form = {"email": one.marketer.email, "password": one.marketer.password}
            app = await App.of(InTurn(self._turns), one.marketer.tokens, form)
            self._apps[one] = app, Browser(next(self._turns), origin=self._url)
        app, browser = self._apps[one]
        code, history = await app.code(browser), History()
        given: list[dict[str, Any]] = []

        async def exchange(number: int) -> None:
            answer = await history.call(str(number), lambda: app.exchange(code), lambda it: it.status_code == 200)
            given.extend([answer.json()] if answer is not None and answer.status_code == 200 else [])

        await asyncio.gather(*map(exchange, range(CROWD)))
        ended = [await self._refused_soon("/oauth/userinfo", tokens["access_token"]) for tokens in given]
        return Round(history, VoidWhenRepeated(), "" if all(ended) else "what a repeated code gave goes on")

    async def _refused_soon(self, path: str, token: str) -> bool:
        """Whether every replica refuses a token within seconds."""
        headers = {"authorization": f"Bearer {token}"}
        for _ in range(300):
            answers = [await client.get(path, headers=headers) for client in self._replicas]
            if {answer.status_code for answer in answers} == {401}:
                return True
            await asyncio.sleep(0.1)
        return False

    async def ownership(self) -> Round:
        """An organisation that is handed over, to and fro: once each time, and it has one owner afterwards."""
        giver, heir = await self._two_members()
        path = f"/api/organizations/{giver.user['organization_id']}"
        bodies = [{"user_id": heir.user["user_id"]}] * CROWD
        history = await self._race(f"{path}/transfer", bodies, giver.headers)
        for one in (giver, heir):
            await asyncio.to_thread(one.marketer.refresh)
        answer = await next(self._turns).get(f"{path}/members", headers=heir.headers)
        owners = [one["user_id"] for one in answer.json()["members"] if "owner" in one["roles"]]
        self._pair = heir, giver
        right = owners == [heir.user["user_id"]] or history.unknown
        return Round(history, FirstWins(), "" if right else f"the owners are {owners}")

    async def _two_members(self) -> tuple[Somebody, Somebody]:
        """The owner and an admin of one organisation, both working in it."""
        if self._pair is None or not all(one.fresh for one in self._pair):
            owner = await self._new()
            email = f"heir.{new_id()}@example.com"
            path = f"/api/organizations/{owner.user['organization_id']}/invitations"
            await self._ask(path, {"email": email, "role": "admin"}, owner.headers)
            [mail] = await asyncio.to_thread(self._inbox.wait_for, email, timeout=90)
            heir = Marketer(self._url, email)
            self._open.append(heir)
            form = {"token": token_in(mail), "full_name": "Heir", "password": heir.password}
            await self._ask("/api/organizations/invitations/register", form)
            await asyncio.to_thread(heir.log_in)
            self._pair = owner, Somebody(heir, time.monotonic())
        return self._pair


def _registration(rival: Marketer) -> dict[str, str]:
    return {
        "email": rival.email,
        "password": rival.password,
        "full_name": rival.full_name,
        "organization_name": rival.organization,
    }
