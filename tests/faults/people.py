"""What people do at the platform while it breaks, and what has to be so afterwards."""

import random
from dataclasses import dataclass, field

from faults.ledger import Ledger
from faults.load import Caller
from omnify_local.inbox import Inbox
from omnify_local.journey import token_in

PASSWORD = "seven quiet herons wade"


@dataclass
class Person:
    """An account, and the tokens of its newest session."""

    email: str
    access: str = ""
    refresh: str = ""


@dataclass
class People:
    """Signs people up and in through `caller`; what was acknowledged goes into `ledger`."""

    caller: Caller
    ledger: Ledger
    random: random.Random
    known: list[Person] = field(default_factory=list)

    def newcomer(self, prefix: str = "ada") -> Person:
        """Somebody who is not there yet."""
        return Person(f"{prefix}.{self.random.getrandbits(64):016x}@example.com")

    async def register(self, person: Person) -> bool:
        """Signs up. A 202 is a promise: one mail."""
        form = {
            "email": person.email,
            "password": PASSWORD,
            "full_name": "Ada Lovelace",
            "organization_name": "Engines",
        }
        answer = await self.caller.ask("register", "POST", "/api/auth/register", json=form)
        if answer is None or answer.status_code != 202:
            return False
        self.ledger.acknowledge(f"mail to {person.email}")
        return True

    async def log_in(self, person: Person) -> Person | None:
        """A new session of theirs, or None when it was refused."""
        form = {"email": person.email, "password": PASSWORD}
        answer = await self.caller.ask("login", "POST", "/api/auth/login", json=form)
        if answer is None or answer.status_code != 200:
            return None
        tokens = answer.json()
        return Person(person.email, tokens["access_token"], tokens["refresh_token"])

    async def log_out(self, session: Person) -> bool:
        """Ends a session; True when that was acknowledged."""
        answer = await self.caller.ask("logout", "POST", "/api/auth/logout", token=session.access)
        return answer is not None and answer.status_code == 204

    async def exchange(self, session: Person) -> Person | None:
        """The session after a refresh, or None when that was refused."""
        answer = await self.caller.ask("refresh", "POST", "/api/auth/refresh", json={"refresh_token": session.refresh})
        if answer is None or answer.status_code != 200:
            return None
        tokens = answer.json()
        return Person(session.email, tokens["access_token"], tokens["refresh_token"])

    async def admit(self, inbox: Inbox, count: int) -> list[Person]:
        """Signs up `count` people before the fault and proves their addresses."""
        newcomers = [self.newcomer("known") for _ in range(count)]
        for person in newcomers:
            assert await self.register(person)
        for person in newcomers:
            token = token_in(inbox.wait_for(person.email, timeout=40)[-1])
            answer = await self.caller.ask("verify", "POST", "/api/auth/verify-email", json={"token": token})
            assert answer is not None
            assert answer.status_code == 200, answer.text
        self.known += newcomers
        return newcomers
