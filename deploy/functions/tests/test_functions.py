"""Signup and mail on both clouds: real runtimes, a real daprd behind TLS, a real broker, on every component set."""

import time
from itertools import count
from typing import Any

import pytest

from omnify_local.journey import token_in
from support import cloud_events
from support.aws_lambda import InvocationFailed

REGISTER = "/api/auth/register"
PHRASE = "a long enough phrase"
numbers = count(1)


class Aws:
    """The two functions on Lambda."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.signup, self.mail = stage.aws("signup"), stage.aws("mail")

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        answer = self.signup.invoke(cloud_events.api_gateway(method, path, body, headers))
        assert answer["headers"].get("x-request-id") or answer["statusCode"] in (404, 503)
        return answer["statusCode"], answer["body"]

    def deliver(self, event: Any) -> bool:
        try:
            return bool(self.mail.invoke(cloud_events.sqs(event)) == {"batchItemFailures": []})
        except InvocationFailed:
            return False


class Google:
    """The two functions on Cloud Functions."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.signup = stage.google("signup", "signup", "http")
        self.mail = stage.google("mail", "mail", "cloudevent")

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        answer = self.signup.ask(method, path, json=body, headers=headers)
        return answer.status_code, answer.text

    def deliver(self, event: Any) -> bool:
        status = self.mail.deliver(event).status_code
        assert status in (200, 503)
        return bool(status == 200)


@pytest.fixture(scope="module")
def aws(stage: Any) -> Aws:
    return Aws(stage)


@pytest.fixture(scope="module")
def google(stage: Any) -> Google:
    return Google(stage)


@pytest.fixture(params=["aws", "google"])
def cloud(request: pytest.FixtureRequest, aws: Aws, google: Google) -> Aws | Google:
    return aws if request.param == "aws" else google


def person() -> dict[str, str]:
    return {
        "email": f"person{next(numbers)}.{time.time_ns()}@shop.example",
        "password": PHRASE,
        "full_name": "Ana Silva",
        "organization_name": "Silva & Co",
    }


def sign_up(cloud: Aws | Google) -> tuple[str, dict[str, Any]]:
    """An address and the event of its registration."""
    form = person()
    status, body = cloud.ask("POST", REGISTER, form)
    assert status == 202, body
    return form["email"], cloud.stage.registered()


def mails_to(stage: Any, address: str) -> int:
    return len(stage.inbox.mails(address))


def test_a_person_signs_up_and_proves_the_address(cloud: Aws | Google) -> None:
    """The event is with the broker before the answer, the mail is sent once however often the event comes."""
    address, event = sign_up(cloud)
    assert all(cloud.deliver(event) for _ in range(3))
    [mail] = cloud.stage.inbox.wait_for(address)
    assert cloud.stage.auth_says("/api/auth/verify-email", {"token": token_in(mail)}).status_code == 200
    signed_in = cloud.stage.auth_says("/api/auth/login", {"email": address, "password": PHRASE})
    assert signed_in.status_code == 200
    assert mails_to(cloud.stage, address) == 1


def test_the_event_tells_the_network_that_the_cloud_vouches_for(stage: Any, aws: Aws) -> None:
    form = person()
    status, _ = aws.ask("POST", REGISTER, form, {"x-forwarded-for": "198.51.100.7, 203.0.113.9"})
    assert status == 202
    assert stage.registered()["clientnetwork"] == "203.0.113.0/24"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/auth/login"),
        ("GET", REGISTER),
        ("GET", "/metrics"),
        ("POST", "/events/auth-events"),
        ("POST", "/internal/verifications/v1/token"),
        ("POST", f"{REGISTER}/../login"),
        ("GET", "/health/ready"),
    ],
)
def test_nothing_else_of_the_service_is_reachable(cloud: Aws | Google, method: str, path: str) -> None:
    forged = {"dapr-caller-app-id": "email", "dapr-api-token": cloud.stage.home.app_api_token}
    status, body = cloud.ask(method, path, {}, forged)
    assert status == 404
    assert "does not serve that" in body


def test_a_bad_form_is_the_service_s_own_refusal(cloud: Aws | Google) -> None:
    status, body = cloud.ask("POST", REGISTER, {"email": "nobody"})
    assert status == 422
    assert "https://omnify.dev/problems/" in body


def test_dapr_away_is_a_failure_to_repeat_and_nothing_is_acknowledged(cloud: Aws | Google) -> None:
    form = person()
    _, event = sign_up(cloud)
    fronts = cloud.stage.fronts.values()
    for front in fronts:
        front.close()
    try:
        assert cloud.ask("POST", REGISTER, form)[0] == 503
        assert not cloud.deliver(event)
    finally:
        for front in fronts:
            front.open()
    assert cloud.ask("POST", REGISTER, form)[0] == 202
    cloud.stage.registered()
    assert cloud.deliver(event)


def test_a_wrong_token_is_refused(stage: Any) -> None:
    stranger = stage.aws("mail", DAPR_API_TOKEN="not the token")
    with pytest.raises(InvocationFailed, match="no sidecar that takes this app"):
        stranger.invoke(cloud_events.sqs({"any": "event"}))


def test_a_frozen_function_finds_its_connections_dead_and_makes_new_ones(stage: Any, aws: Aws) -> None:
    address, event = sign_up(aws)
    assert aws.deliver(event)
    for function in (aws.signup, aws.mail):
        function.suspend()
    for front in stage.fronts.values():
        front.cut()
    time.sleep(5.5)
    for function in (aws.signup, aws.mail):
        function.resume()
    assert aws.deliver(event)
    sign_up(aws)
    assert mails_to(stage, address) == 1


def test_of_a_batch_only_what_failed_is_to_come_again(stage: Any, aws: Aws) -> None:
    """One is mailed, one is no event at all and becomes a dead letter, one fails in its handler for now."""
    address, good = sign_up(aws)
    failing = good | {"id": f"failing-{time.time_ns()}", "data": {**good["data"], "user_id": "not||a key"}}
    answer = aws.mail.invoke(cloud_events.sqs(good, "no JSON {", failing, sns=True))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    stage.until(lambda: mails_to(stage, address) == 1)
    with pytest.raises(InvocationFailed, match="NotDone: 1 of 1"):
        aws.mail.invoke(cloud_events.sqs(failing))
    with pytest.raises(InvocationFailed, match="NotDone: 1 of 2"):
        aws.mail.invoke(cloud_events.kafka(good, failing))
    left = [aws.deliver(failing) for _ in range(3)]
    assert left == [False, False, True], "after as many tries as everywhere it is a dead letter"
    assert mails_to(stage, address) == 1


@pytest.mark.parametrize("managed", [True, False])
def test_kafka_records_are_taken_as_they_lie_on_the_topic(stage: Any, aws: Aws, managed: bool) -> None:
    address, event = sign_up(aws)
    assert aws.mail.invoke(cloud_events.kafka(event, managed=managed)) == {"batchItemFailures": []}
    stage.until(lambda: mails_to(stage, address) == 1)


def test_killed_after_the_write_the_event_is_still_published_once(stage: Any, cloud: Aws | Google) -> None:
    """By the service, which finds what a silent replica left."""
    form, name = person(), type(cloud).__name__.lower()
    stage.orders("signup", name).write_text("outbox.event.written")
    with pytest.raises(Exception, match=r"Runtime exited|disconnected|reset|Server disconnected"):
        cloud.ask("POST", REGISTER, form)
    event = stage.registered(seconds=90)
    assert cloud.deliver(event)
    stage.until(lambda: mails_to(stage, form["email"]) == 1)


def test_killed_while_it_sends_the_mail_goes_out_once_with_the_upkeep(stage: Any, aws: Aws) -> None:
    address, event = sign_up(aws)
    stage.orders("mail", "aws").write_text("email.send.claimed")
    assert not aws.deliver(event)
    assert mails_to(stage, address) == 0
    assert aws.deliver(event), "it is in nobody's hands any more, but it waits"
    upkeep = stage.aws("mail", "upkeep", OMNIFY_UPKEEP_SECONDS="20")
    assert upkeep.invoke({"source": "aws.scheduler"})["status"] == "done"
    assert mails_to(stage, address) == 1
