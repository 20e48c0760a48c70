"""Programs in other languages use the platform through sidecars of their own, on each component set."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import jsonschema
import pytest
from dapr.proto import api_service_v1, api_v1

from omnify_local import runfile
from omnify_local.admission import Guest
from omnify_local.journey import Marketer, token_in
from omnify_local.ports import free_port
from omnify_shared.testing import Platform, Sidecar
from polyglot.conftest import Commands
from polyglot.programs import CONTRACTS, LANGUAGES, SOURCES, Caller, Line

# The first test may have to fetch packages, compile Go's own library and start a platform.
pytestmark = pytest.mark.timeout(400)
ORDERS = SOURCES / "orders.csv"
REGISTERED, VERIFIED = "omnify.auth.user.registered.v1", "omnify.auth.address.verified.v1"
REVOKED, LETTER = "omnify.auth.session.revoked.v1", "omnify.auth.letter.requested.v1"
PROBLEMS = "https://omnify.dev/problems/"
NEVER = 60  # failed probes: beyond, a set keeps an app's subscriptions while it is away
NewMarketer = Callable[..., Marketer]
Callers = dict[str, Caller]


@pytest.fixture(scope="module")
def callers(platform: Platform, commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    """Each program taking events beside its sidecar, on the running platform."""
    made: Callers = {}
    try:
        for language in LANGUAGES:
            guest = Guest.consumer(f"{language}-caller", ["auth-events"])
            platform.home.admit(guest)
            sidecar = Sidecar(platform.home, guest.app_id, app_port=free_port())
            caller = made[language] = Caller(commands[language], sidecar, tmp_path_factory.mktemp(guest.app_id))
            sidecar.launch()
            caller.listen()
        for caller in made.values():
            caller.sidecar.wait_for_app(120)
        yield made
    finally:
        for caller in made.values():
            caller.kill()
            caller.sidecar.kill()


def eventually(check: Callable[[], object], what: str, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.1)


def walk(caller: Caller, platform: Platform, marketer: Marketer) -> dict[str, Line]:
    """The lines of a whole journey, by step; refusals as `STEP refused`."""
    lines: dict[str, Line] = {}
    journey = caller.journey(marketer.email, marketer.password, ORDERS)
    try:
        for line in journey:
            if line["step"] == "paste the mail's link":
                mail = platform.inbox.wait_for(marketer.email, timeout=60)[-1]
                journey.answer(f"{platform.url}/verify-email#token={token_in(mail)}")
            lines[f"{line['step']} refused" if "problem" in line else line["step"]] = line
        assert journey.end() == (0, "")
    finally:
        journey.kill()
    return lines


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_walks_from_sign_up_to_the_numbers(
    platform: Platform, callers: Callers, new_marketer: NewMarketer, language: str
) -> None:
    caller, marketer = callers[language], new_marketer()
    lines = walk(caller, platform, marketer)

    user, claims, me = lines["login"]["user"], lines["login"]["claims"], lines["me"]["me"]
    assert (user["email"], user["roles"]) == (marketer.email, ["owner"])
    jsonschema.validate(claims, json.loads((CONTRACTS / "access-token.schema.json").read_text()))
    assert (claims["sub"], claims["org"]) == (user["user_id"], user["organization_id"])
    assert (me["user_id"], me["session_id"]) == (claims["sub"], lines["refresh"]["claims"]["sid"])
    assert {step: problem_of(line) for step, line in lines.items() if "problem" in line} == {
        "login refused": (401, f"{PROBLEMS}invalid-credentials"),
        "forged token refused": (401, f"{PROBLEMS}unauthorized"),
        "import refused": (422, f"{PROBLEMS}invalid-options"),
    }
    assert [error["field"] for error in lines["import refused"]["problem"]["errors"]] == ["options.currency"]
    assert (lines["import"]["rows_accepted"], lines["import"]["rows_rejected"]) == (10, 0)
    check_numbers(lines, platform, marketer)

    session = lines["logout"]["session_id"]
    told = (LETTER, user["user_id"])  # of the sign-in from another device
    account = [(REGISTERED, user["user_id"]), (VERIFIED, user["user_id"]), told]
    expected = Counter([*account, (REVOKED, session)])
    eventually(lambda: len(caller.events(*subjects(expected))) >= len(expected), f"{caller.received}")
    assert Counter(caller.events(*subjects(expected))) == expected


def subjects(expected: Counter[tuple[str, str]]) -> list[str]:
    return [subject for _, subject in expected]


def problem_of(line: Line) -> tuple[int, str]:
    return line["problem"]["status"], line["problem"]["type"]


def check_numbers(lines: dict[str, Line], platform: Platform, marketer: Marketer) -> None:
    """The program's numbers are those that the platform gives at its own door, and the right ones."""
    overview: dict[str, Any] = lines["overview"]["overview"]
    assert (overview["currency"], overview["revenue"], overview["orders"]) == ("EUR", "767.19", 10)
    assert (overview["customers"], overview["new_customers"], overview["aov"]) == (5, 5, "76.72")
    marketer.http.headers["user-agent"] = "another device"
    marketer.log_in()
    params = {"granularity": "month"}
    assert overview == marketer.ask("GET", "/api/analytics/overview", 200, params=params)
    assert lines["cohorts"]["cohorts"] == marketer.ask("GET", "/api/analytics/cohorts", 200, params=params)


def test_nothing_is_lost_while_the_programs_are_away(
    platform: Platform, callers: Callers, new_marketer: NewMarketer
) -> None:
    before = {language: caller.times_down() for language, caller in callers.items()}
    for caller in callers.values():
        assert caller.stop() == 0
    if runfile.app_health_threshold(platform.home.components) < NEVER:
        for language, caller in callers.items():
            eventually(lambda c=caller, n=before[language]: c.times_down() > n, "it is missed")  # type: ignore[misc]
    users = [registered(new_marketer(), platform) for _ in range(3)]
    for caller in callers.values():
        caller.listen()
    expected = Counter((kind, user) for user in users for kind in (REGISTERED, VERIFIED))
    for caller in callers.values():
        eventually(lambda c=caller: len(c.events(*users)) >= len(expected), "every event comes")  # type: ignore[misc]
        assert Counter(caller.events(*users)) == expected


def registered(marketer: Marketer, platform: Platform) -> str:
    """The id of a new user."""
    marketer.register()
    marketer.verify(token_in(platform.inbox.wait_for(marketer.email, timeout=60)[-1]))
    marketer.log_in()
    return str(marketer.tokens["user"]["user_id"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failure_is_one_clear_line(callers: Callers, tmp_path: Path, language: str) -> None:
    caller = callers[language]
    journey = caller.journey("not an address", "a long enough phrase", ORDERS)
    assert list(journey) == []
    status, said = journey.end()
    assert status == 1
    assert said.startswith(f"{language}-caller: POST auth /api/auth/register: 422 {PROBLEMS}invalid-payload: email: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("topic", ["auth-events", "analytics-events"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_may_not_publish_to_the_topics_of_others(callers: Callers, language: str, topic: str) -> None:
    sidecar = callers[language].sidecar
    token = (("dapr-api-token", sidecar.home.dapr_api_token),)
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.ports.grpc}") as channel:
        request = api_v1.PublishEventRequest(pubsub_name="pubsub", topic=topic, data=b"{}")
        with pytest.raises(grpc.RpcError) as refused:
            api_service_v1.DaprStub(channel).PublishEvent(request, metadata=token, timeout=10)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
