"""A user's sessions in any order of events, against a model: the list, the refresh tokens and the ends agree."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

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

from omnify_auth.devices import Client
from omnify_auth.errors import InvalidRefreshToken
from omnify_shared import clock

AGENTS = ("Firefox/150.0 on Linux", "Safari/20 on macOS", "curl/9")
LEAPS = (timedelta(seconds=4), timedelta(seconds=11), timedelta(minutes=25), timedelta(minutes=61))
IDLE, OVERALL, GRACE, MOST = timedelta(hours=1), timedelta(hours=24), timedelta(seconds=10), 10
T = TypeVar("T")


@dataclass
class Modelled:
    """What a client knows of one of its sessions, and until when it goes on."""

    session_id: str
    agent: str
    token: str
    ends_at: datetime
    idle_until: datetime
    spent: str | None = None
    spent_at: datetime | None = None
    ended: bool = False


class Sessions(RuleBasedStateMachine):
    """Its rules run in a thread, and what they ask in the lab's event loop."""

    lab: ClassVar[Any]
    travel: ClassVar[Callable[[timedelta], None]]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Modelled] = []

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    @property
    def service(self) -> Any:
        return self.lab.auth.service

    @property
    def live(self) -> list[Modelled]:
        now = clock.now()
        return [one for one in self.all if not one.ended and now < min(one.ends_at, one.idle_until)]

    @initialize()
    def join(self) -> None:
        self.form = self.wait(self.lab.verified())
        self.user_id = ""

    @rule(agent=st.sampled_from(AGENTS))
    def sign_in(self, agent: str) -> None:
        for surplus in self.live[: max(0, len(self.live) - MOST + 1)]:
            surplus.ended = True
        client = Client("203.0.113.7", agent)
        login = self.service.sign_in.login(self.form["email"], self.form["password"], client)
        made = self.wait(login)
        now = clock.now()
        self.user_id = made.user.user_id
        modelled = Modelled(made.session.session_id, agent, made.refresh.text, now + OVERALL, now + IDLE)
        self.all.append(modelled)

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.all))
        goes_on, token = one in self.live, self.exchanged(one.token)
        assert (token is not None) == goes_on
        if token is not None:
            now = clock.now()
            one.spent, one.spent_at, one.token = one.token, now, token
            one.idle_until = min(now + IDLE, one.ends_at)

    @precondition(lambda self: any(one.spent for one in self.all))
    @rule(data=st.data())
    def use_a_spent_token(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from([one for one in self.all if one.spent]))
        assert one.spent is not None
        assert one.spent_at is not None
        in_grace, goes_on = clock.now() - one.spent_at < GRACE - timedelta(seconds=3), one in self.live
        late = clock.now() - one.spent_at > GRACE
        if not in_grace and not late:
            return  # too near to the end of the grace to tell
        token = self.exchanged(one.spent)
        assert token == (one.token if goes_on and in_grace else None)
        one.ended = one.ended or (goes_on and late)

    def exchanged(self, token: str) -> str | None:
        try:
            return str(self.wait(self.service.sessions.refresh(token)).refresh.text)
        except InvalidRefreshToken:
            return None

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.live))
        self.wait(self.service.sessions.logout(one.session_id))
        one.ended = True

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def end_one(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.live))
        self.wait(self.service.session_list.end(self.user_id, one.session_id))
        one.ended = True

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def end_a_device(self, data: st.DataObject) -> None:
        agent = data.draw(st.sampled_from(self.live)).agent
        gone = [one for one in self.live if one.agent == agent]
        device = Client(None, agent).device_id(self.user_id)
        assert self.wait(self.service.session_list.end_device(self.user_id, device)) == len(gone)
        for one in gone:
            one.ended = True

    @precondition(lambda self: self.live)
    @rule(data=st.data(), keeps=st.booleans())
    def end_all(self, data: st.DataObject, keeps: bool) -> None:
        kept = data.draw(st.sampled_from(self.live)) if keeps else None
        gone = [one for one in self.live if one is not kept]
        session_id = kept.session_id if kept else None
        assert self.wait(self.service.session_list.end_all(self.user_id, kept=session_id)) == len(gone)
        for one in gone:
            one.ended = True

    @precondition(lambda self: self.live)
    @rule(data=st.data(), ends=st.booleans())
    def change_the_password(self, data: st.DataObject, ends: bool) -> None:
        one, new = data.draw(st.sampled_from(self.live)), f"{self.form['password']} x"[-60:]
        old = self.form["password"]
        change = self.service.credentials.change(self.user_id, one.session_id, old, new, end_others=ends)
        self.wait(change)
        self.form["password"] = new
        for other in self.live if ends else ():
            other.ended = other is not one

    @rule(leap=st.sampled_from(LEAPS))
    def time_passes(self, leap: timedelta) -> None:
        type(self).travel(leap)

    @invariant()
    def the_list_shows_what_goes_on(self) -> None:
        if self.all:
            listed = self.wait(self.service.session_list.live(self.user_id))
            assert [one.session.session_id for one in listed] == [one.session_id for one in reversed(self.live)]


async def test_sessions_in_any_order(lab: Any, travel: Callable[[timedelta], None]) -> None:
    facts = {"lab": lab, "travel": staticmethod(travel), "loop": asyncio.get_running_loop()}
    machine = type("Machine", (Sessions,), facts)
    few = settings(
        max_examples=12,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=(Phase.generate,),
    )
    await asyncio.to_thread(run_state_machine_as_test, machine, settings=few)
