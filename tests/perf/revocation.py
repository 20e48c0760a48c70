"""How soon another service refuses a token: after a logout, when its member is disabled, when their roles change."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from omnify_local.journey import JourneyFailed, Marketer, token_in
from perf.measure import Row, percentile
from perf.services import Bench

TIMES = 40  # of each kind
MEMBERS = 4  # in turn, so that nobody's access changes twice in one second
ELSEWHERE = "/api/analytics/imports"
P50, P99 = 1000.0, 5000.0  # milliseconds that it may take
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Team:
    """An owner and members of one organisation."""

    owner: Marketer
    members: tuple[Marketer, ...]

    def change(self, member: Marketer, **what: object) -> None:
        """The owner changes what a member is."""
        organization, user = self.owner.tokens["user"]["organization_id"], member.tokens["user"]["user_id"]
        self.owner.ask("PATCH", f"/api/organizations/{organization}/members/{user}", 200, json=what)


def rows(bench: Bench) -> list[Row]:
    """From the request that ends access to the first refusal by analytics."""
    team = _team(bench)
    kinds: dict[str, Callable[[int], float]] = {
        "logout": lambda number: _logged_out(team, number),
        "a member disabled": lambda number: _disabled(team, number),
        "roles changed": lambda number: _changed(team, number),
    }
    took = {kind: [act(number) * 1000 for number in range(TIMES)] for kind, act in kinds.items()}
    every = [one for found in took.values() for one in found]
    return [
        *(Row(f"refused elsewhere, {kind}, p50 / 1 s", percentile(one, 0.5), P50, "ms") for kind, one in took.items()),
        Row("refused elsewhere, all, p50 / 1 s", percentile(every, 0.5), P50, "ms", "<= 1"),
        Row("refused elsewhere, all, p99 / 5 s", percentile(every, 0.99), P99, "ms", "<= 1"),
    ]


def _team(bench: Bench) -> Team:
    owner = bench.joined()
    organization = owner.tokens["user"]["organization_id"]
    members = []
    for _ in range(MEMBERS):
        member = Marketer(bench.platform.url)
        invited = {"email": member.email, "role": "manager"}
        owner.ask("POST", f"/api/organizations/{organization}/invitations", 201, json=invited)
        mail = bench.platform.inbox.wait_for(member.email, timeout=60)[-1]
        body = {"token": token_in(mail), "full_name": member.full_name, "password": member.password}
        member.ask("POST", "/api/organizations/invitations/register", 201, json=body)
        member.log_in()
        members.append(member)
    return Team(owner, tuple(members))


def _logged_out(team: Team, number: int) -> float:
    member = team.members[number % MEMBERS]
    member.ask("GET", ELSEWHERE, 200)
    seconds = _until_refused(member, lambda: member.ask("POST", "/api/auth/logout", 204))
    member.log_in()
    return seconds


def _disabled(team: Team, number: int) -> float:
    member = team.members[number % MEMBERS]
    member.ask("GET", ELSEWHERE, 200)
    seconds = _until_refused(member, lambda: team.change(member, disabled=True))
    team.change(member, disabled=False)
    member.log_in()
    return seconds


def _changed(team: Team, number: int) -> float:
    member, roles = team.members[number % MEMBERS], ("manager", "admin")
    member.ask("GET", ELSEWHERE, 200)
    new = roles[number // MEMBERS % 2 == 0]
    seconds = _until_refused(member, lambda: team.change(member, roles=[new]))
    member.log_in()
    return seconds


def _until_refused(member: Marketer, end: Callable[[], object]) -> float:
    """Seconds from the request that ends the member's access to the first 401 of another service."""
    headers = {"authorization": f"Bearer {member.tokens['access_token']}"}
    started = time.perf_counter()
    end()
    while time.perf_counter() < started + _PATIENCE:
        if member.http.get(ELSEWHERE, headers=headers).status_code == 401:
            return time.perf_counter() - started
        time.sleep(0.002)
    raise JourneyFailed(f"a token was good for {_PATIENCE:g} s after its end")
