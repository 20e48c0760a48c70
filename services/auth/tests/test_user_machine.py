"""A user's account in any order of events, against a model: proof of the address, passwords, a factor, memberships."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

import httpx2 as httpx
import pyotp
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from omnify_shared import clock

LEAPS = (timedelta(seconds=2), timedelta(minutes=9), timedelta(minutes=61))
NEAR = timedelta(seconds=25)  # to the end of a wait, within which a slow machine may be on either side
ROLES = ("viewer", "manager", "admin")
MAILS = 4  # that an address gets here; five within ten minutes are sent
T = TypeVar("T")


class Users(RuleBasedStateMachine):
    """Its rules run in a thread, and what they ask in the lab's event loop."""

    lab: ClassVar[Any]
    travel: ClassVar[Callable[[timedelta], None]]
    loop: ClassVar[asyncio.AbstractEventLoop]
    new_person: ClassVar[Callable[[], Coroutine[Any, Any, Any]]]

    def __init__(self) -> None:
        super().__init__()
        self.verified = False
        self.failures, self.failed_at = 0, clock.now()
        self.secret: str | None = None
        self.spent_step = 0
        self.role: str | None = None
        self.disabled = False
        self.mails = 0
        self.user_id = ""

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(120)

    def post(self, path: str, bearer: str | None = None, verb: str = "POST", **body: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        asked = self.lab.auth.http.request(verb, path, json=body or None, headers=headers)
        answer: httpx.Response = self.wait(asked)
        return answer

    # What the model says.

    @property
    def left(self) -> timedelta:
        """Of the wait after the last wrong password; below zero when it is over."""
        if self.failures < 5:
            return -timedelta(days=1)
        wait = min(timedelta(seconds=30) * 2 ** (self.failures - 5), timedelta(hours=1))
        ends: datetime = self.failed_at + wait
        return ends - clock.now()

    @property
    def nobody_can_tell(self) -> bool:
        return self.failures >= 5 and abs(self.left) < NEAR

    @property
    def may_sign_in(self) -> bool:
        return self.verified and self.left < -NEAR and self.code() is not None

    def code(self) -> str | None:
        """A code that is not spent; an empty one where none is wanted."""
        if self.secret is None:
            return ""
        step = int(clock.now().timestamp()) // 30
        return pyotp.TOTP(self.secret).at(step * 30) if step > self.spent_step else None

    def spent(self) -> None:
        self.spent_step = int(clock.now().timestamp()) // 30

    def signed_in(self) -> str:
        """An access token of a new session, which works in the shared organisation if that was worked in last."""
        answer = self.post("/api/auth/login", email=self.form["email"], password=self.form["password"])
        if self.secret:
            assert answer.status_code == 403
            code, token = self.code(), answer.json()["mfa_token"]
            answer = self.post("/api/auth/login/mfa", mfa_token=token, code=code)
            self.spent()
        assert answer.status_code == 200, answer.text
        self.failures = 0
        self.user_id = answer.json()["user"]["user_id"]
        return str(answer.json()["access_token"])

    @initialize()
    def join(self) -> None:
        self.owner = self.wait(type(self).new_person())
        self.form = self.wait(self.lab.registered())
        self.mails = 1

    @precondition(lambda self: not self.verified)
    @rule()
    def prove_the_address(self) -> None:
        token = self.wait(self.lab.mailed_token(self.form["email"], self.form["full_name"]))
        assert self.post("/api/auth/verify-email", token=token).status_code == 200
        assert self.post("/api/auth/verify-email", token=token).status_code == 400
        self.verified = True

    @precondition(lambda self: self.verified and self.mails < MAILS)
    @rule()
    def register_once_more(self) -> None:
        """Changes nothing but that a mail tells of it: the password is still the one of before."""
        self.mails += 1
        form = self.form | {"password": "somebody else's long phrase"}
        assert self.post("/api/auth/register", **form).status_code == 202

    @precondition(lambda self: not self.nobody_can_tell)
    @rule()
    def sign_in(self) -> None:
        answer = self.post("/api/auth/login", email=self.form["email"], password=self.form["password"])
        if self.left > timedelta(0):
            assert answer.status_code == 429
            return
        self.failures = 0
        wanted = (200 if not self.secret else 403) if self.verified else 403
        assert answer.status_code == wanted, answer.text
        if self.verified and self.secret:
            assert answer.json()["methods"] == ["totp"] or "totp" in str(answer.json())

    @precondition(lambda self: not self.nobody_can_tell)
    @rule()
    def guess(self) -> None:
        answer = self.post("/api/auth/login", email=self.form["email"], password="not the password at all")
        if self.left > timedelta(0):
            assert answer.status_code == 429
            return
        assert answer.status_code == 401
        self.failures, self.failed_at = self.failures + 1, clock.now()

    @precondition(lambda self: self.may_sign_in)
    @rule(ends=st.booleans())
    def change_the_password(self, ends: bool) -> None:
        token, new = self.signed_in(), f"{self.form['password']} x"[-60:]
        body: dict[str, Any] = {"new_password": new, "end_other_sessions": ends}
        wrong = self.post("/api/auth/change-password", token, current_password="not the password at all", **body)
        assert wrong.status_code == 403
        answer = self.post("/api/auth/change-password", token, current_password=self.form["password"], **body)
        assert answer.status_code == 200, answer.text
        self.form["password"], self.failures = new, 0

    @precondition(lambda self: self.verified and self.mails < MAILS)
    @rule()
    def forget_the_password(self) -> None:
        """The link brings another password, and nobody in: the factor is still asked for."""
        self.mails += 1
        seen = len(self.lab.probe.events)
        assert self.post("/api/auth/password-reset", email=self.form["email"]).status_code == 202
        token = self.wait(self._mailed("password_reset", seen))
        new = f"{self.form['password']} y"[-60:]
        for status in (200, 400):
            answer = self.post("/api/auth/password-reset/confirm", token=token, new_password=new)
            assert answer.status_code == status, answer.text
        self.form["password"], self.failures = new, 0

    async def _mailed(self, kind: str, seen: int) -> str:
        """The token of the newest letter of a kind to this address."""
        async with asyncio.timeout(30):
            while True:
                for event in reversed(self.lab.probe.events[seen:]):
                    if event["data"].get("kind") == kind:
                        headers = {"dapr-caller-app-id": "email"}
                        path = f"/internal/letters/{event['data']['letter_id']}"
                        letter = (await self.lab.auth.http.post(path, headers=headers)).json()
                        if letter.get("email") == self.form["email"]:
                            return str(letter["token"])
                await asyncio.sleep(0.02)

    @precondition(lambda self: self.may_sign_in and not self.secret)
    @rule()
    def set_a_factor_up(self) -> None:
        token = self.signed_in()
        secret = self.post("/api/mfa/totp/setup", token).json()["secret"]
        code = pyotp.TOTP(secret).at(int(clock.now().timestamp()))
        assert self.post("/api/mfa/totp/verify", token, code=code).status_code == 200
        self.secret = secret
        self.spent()

    @precondition(lambda self: self.may_sign_in and self.secret)
    @rule()
    def take_the_factor_away(self) -> None:
        token = self.signed_in()
        codes = self.post("/api/mfa/recovery-codes", token).json()["recovery_codes"]
        answer = self.post("/api/mfa/disable", token, method="totp", recovery_code=codes[0])
        assert answer.status_code == 200, answer.text
        self.secret = None

    def by_owner(self, method: str, path: str, **body: Any) -> httpx.Response:
        self.owner.tokens = self.wait(self.lab.login(self.owner.form)).json()
        answer: httpx.Response = self.wait(self.owner.here(method, path, **body))
        return answer

    @precondition(lambda self: self.may_sign_in and self.role is None and self.mails < MAILS)
    @rule(role=st.sampled_from(ROLES))
    def join_an_organisation(self, role: str) -> None:
        self.mails += 1
        seen = len(self.lab.probe.events)
        made = self.by_owner("POST", "/invitations", email=self.form["email"], role=role)
        assert made.status_code == 201, made.text
        token = self.wait(self._mailed("invitation", seen))
        answer = self.post("/api/organizations/invitations/accept", self.signed_in(), token=token)
        assert answer.status_code == 200, answer.text
        self.role, self.disabled = role, False

    @precondition(lambda self: self.role is not None)
    @rule(role=st.sampled_from(ROLES), disabled=st.booleans())
    def change_the_membership(self, role: str, disabled: bool) -> None:
        answer = self.by_owner("PATCH", f"/members/{self.user_id}", roles=[role], disabled=disabled)
        assert answer.status_code == 200, answer.text
        self.role, self.disabled = role, disabled

    @precondition(lambda self: self.role is not None)
    @rule()
    def leave_the_organisation(self) -> None:
        assert self.by_owner("DELETE", f"/members/{self.user_id}").status_code == 204
        self.role, self.disabled = None, False

    @precondition(lambda self: self.role is not None and self.may_sign_in)
    @rule()
    def work_there(self) -> None:
        """A member gets exactly the rights of their role, and who is disabled does not come in."""
        token, there = self.signed_in(), self.owner.organization_id
        answer = self.post(f"/api/organizations/{there}/switch", token)
        assert answer.status_code == (404 if self.disabled else 200), answer.text
        if not self.disabled:
            shown = self.post("/api/rbac/permissions", answer.json()["access_token"], verb="GET")
            assert shown.json()["roles"] == [self.role], shown.text

    @rule(leap=st.sampled_from(LEAPS))
    def time_passes(self, leap: timedelta) -> None:
        type(self).travel(leap)

    @invariant()
    def what_is_stored_agrees(self) -> None:
        if not self.user_id:
            return
        user = self.wait(self.lab.auth.service.store.users.get(self.user_id))
        factors = self.wait(self.lab.auth.service.store.factors.get(self.user_id))
        assert (user.verified_at is not None) == self.verified
        assert bool(factors and factors.totp) == bool(self.secret)
        found = [one for one in user.memberships if one.organization_id == self.owner.organization_id]
        assert [(one.roles, one.disabled_at is not None) for one in found] == (
            [((self.role,), self.disabled)] if self.role else []
        )


class Travelled(datetime):
    """The clock of the library that checks the times of tokens, moved along with the service's."""

    @classmethod
    def now(cls, tz: Any = None) -> "Travelled":
        return cls.fromtimestamp(clock.now().timestamp(), tz)


async def test_a_user_in_any_order(
    lab: Any, new_person: Any, travel: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt.api_jwt.datetime", Travelled)
    facts = {
        "lab": lab,
        "travel": staticmethod(travel),
        "loop": asyncio.get_running_loop(),
        "new_person": staticmethod(new_person),
    }
    machine = type("Machine", (Users,), facts)
    few = settings(
        max_examples=8,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=(Phase.generate,),
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=few)
