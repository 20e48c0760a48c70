"""Rounds in which a crowd of clients races for a thing that is there once; every round gives a history."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx

from faults.interrupted import OPTIONS, ROWS, orders
from faults.linear import Call, FirstWins, Model, TokenChain, WrittenOnce, linearizable
from omnify_local.inbox import Inbox
from omnify_local.journey import Marketer, token_in
from omnify_shared.ids import new_id

CROWD = 32
GRACE = 10.0  # seconds; see the settings of auth
NOTHING_LEARNED = frozenset({500, 502, 503, 504})
Read = Callable[[httpx.Response], Hashable]
Send = Callable[[], Awaitable[httpx.Response]]


@dataclass
class History:
    """What the clients of one round saw."""

    calls: list[Call] = field(default_factory=list)

    async def call(self, asked: Hashable, send: Send, read: Read) -> httpx.Response | None:
        """One call, entered with what `read` makes of its answer; None when nobody knows what became of it."""
        invoked = time.monotonic()
        try:
            answer = await send()
        except httpx.HTTPError:
            answer = None
        if answer is None or answer.status_code in NOTHING_LEARNED:
            self.calls.append(Call.unknown(asked, invoked))
            return None
        self.calls.append(Call(asked, read(answer), invoked, time.monotonic()))
        return answer

    @property
    def unknown(self) -> int:
        """Calls without an answer that says something."""
        return sum(1 for call in self.calls if call.ended == float("inf"))

    def explained(self, model: Model) -> bool:
        """Whether one machine could have given these answers."""
        return linearizable(self.calls, model)


@dataclass
class Round:
    """A round that was raced: its history, the machine it is held against, and what else is wrong with its end."""

    history: History
    model: Model
    wrong: str = ""


class CounterRaces:
    """Races at replicas of the counter app."""

    def __init__(self, replicas: list[httpx.AsyncClient]) -> None:
        self._replicas = replicas

    def _replica(self, number: int) -> httpx.AsyncClient:
        return self._replicas[number % len(self._replicas)]

    async def claims(self) -> Round:
        """A name that is claimed first-write: one owner."""
        name, history = new_id(), History()

        async def claim(number: int) -> None:
            send = self._replica(number).post
            path, query = f"/claims/{name}", {"owner": str(number)}
            await history.call(str(number), lambda: send(path, params=query), lambda it: it.json()["owner"] is not None)

        await asyncio.gather(*map(claim, range(CROWD)))
        return Round(history, FirstWins())

    async def keys(self) -> Round:
        """One idempotency key: the work is done once and all get its answer, or are told that it is running."""
        name, history = new_id(), History()

        def read(answer: httpx.Response) -> Hashable:
            return answer.json()["made"] if answer.status_code == 201 else None

        async def make(number: int) -> None:
            replica, headers = self._replica(number), {"idempotency-key": name}
            await history.call(name, lambda: replica.post(f"/counts/{name}", headers=headers), read)

        await asyncio.gather(*map(make, range(CROWD)))
        return Round(history, WrittenOnce())


class PlatformRaces:
    """Races through the gateway, each with people of its own."""

    def __init__(self, url: str, inbox: Inbox, chances: random.Random) -> None:
        self._url, self._inbox, self._random = url, inbox, chances
        self.http = httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=CROWD))
        self._marketer: Marketer | None = None

    async def close(self) -> None:
        """Closes the connections."""
        await self.http.aclose()
        if self._marketer:
            self._marketer.close()

    async def _member(self) -> Marketer:
        """Somebody with an account, the same one for all rounds."""
        if self._marketer is None:
            self._marketer = await asyncio.to_thread(Marketer(self._url).join, self._inbox, timeout=60)
        return self._marketer

    async def refresh(self) -> Round:
        """A family of refresh tokens: exchanged, repeated and reused all at once."""
        member = await self._member()
        body = {"email": member.email, "password": member.password}
        signed_in = (await self.http.post("/api/auth/login", json=body)).raise_for_status().json()
        texts, history, since = [str(signed_in["refresh_token"])], History(), time.monotonic()

        def read(number: int) -> Read:
            def successor(answer: httpx.Response) -> Hashable:
                if answer.status_code != 200:
                    return None
                text = str(answer.json()["refresh_token"])
                if number + 1 == len(texts):
                    texts.append(text)
                return number + 1 if texts[number + 1] == text else f"another successor of {number}"

            return successor

        async def exchange(_: int) -> None:
            number = 0
            for _ in range(self._random.choice((1, 1, 1, 2, 3))):
                send = self._posting("/api/auth/refresh", {"refresh_token": texts[number]})
                answer = await history.call(number, send, read(number))
                number = min(number + 1, len(texts) - 1) if answer is not None else number

        await asyncio.gather(*map(exchange, range(CROWD)))
        return Round(history, TokenChain(GRACE, since))

    def _posting(self, path: str, body: Any) -> Send:
        return lambda: self.http.post(path, json=body)

    async def verification(self) -> Round:
        """One address registered by several with passwords of their own, then all mailed tokens tried at once.

        One token wins, and the account has the password of that very registration.
        """
        rivals = [Marketer(self._url) for _ in range(3)]
        for rival in rivals:
            rival.email = rivals[0].email
        await asyncio.gather(*(asyncio.to_thread(rival.register) for rival in rivals))
        mails = await asyncio.to_thread(self._inbox.wait_for, rivals[0].email, count=len(rivals), timeout=60)
        tokens, history = [token_in(mail) for mail in mails], History()
        winners: list[str] = []

        async def prove(number: int) -> None:
            token = tokens[number % len(tokens)]
            send = self._posting("/api/auth/verify-email", {"token": token})
            answer = await history.call(number, send, lambda it: it.status_code == 200)
            if answer is not None and answer.status_code == 200:
                winners.append(token)

        await asyncio.gather(*map(prove, range(CROWD)))
        return Round(history, FirstWins(), await self._one_password(rivals))

    async def _one_password(self, rivals: list[Marketer]) -> str:
        statuses = []
        for rival in rivals:
            body = {"email": rival.email, "password": rival.password}
            statuses.append((await self.http.post("/api/auth/login", json=body)).status_code)
            rival.close()
        return "" if sorted(statuses) == [200, 401, 401] else f"the rivals' passwords give {statuses}"

    async def imports(self) -> Round:
        """The same bytes uploaded by everybody at once: one import, counted once."""
        member = await asyncio.to_thread(Marketer(self._url).join, self._inbox, timeout=60)
        content, revenue = orders()
        form: dict[str, Any] = {"data": {"options": json.dumps(OPTIONS)}}
        headers, history = {"authorization": f"Bearer {member.tokens['access_token']}"}, History()

        def read(answer: httpx.Response) -> Hashable:
            return answer.json()["import_id"] if answer.status_code == 202 else None

        async def upload(_: int) -> None:
            files = {"file": ("orders.csv", content, "text/csv")}
            path = "/api/analytics/imports/orders"
            await history.call("the file", lambda: self.http.post(path, headers=headers, files=files, **form), read)

        await asyncio.gather(*map(upload, range(CROWD)))
        ids = {call.answer for call in history.calls if call.answer and call.ended < float("inf")}
        try:
            for import_id in ids:
                await asyncio.to_thread(member.wait_for_import, str(import_id), 90)
            shown = await asyncio.to_thread(member.overview, "2024-01-01", "2024-12-31")
        finally:
            member.close()
        right = not ids or (shown["revenue"], shown["orders"]) == (revenue, ROWS)
        return Round(history, WrittenOnce(), "" if right else f"{shown['orders']} orders of {shown['revenue']}")
