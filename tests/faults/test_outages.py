"""Parts of the running platform stop; nothing that was acknowledged is lost, and it mends itself."""

import time
from collections.abc import Callable

import httpx2 as httpx
import pytest

from omnify_local.journey import Marketer, token_in
from omnify_local.servers import Server
from omnify_shared.testing import Platform

NewMarketer = Callable[..., Marketer]


def test_registering_answers_while_the_broker_is_down_and_the_mail_follows(
    platform: Platform, broker: Server, new_marketer: NewMarketer
) -> None:
    marketer = new_marketer()
    broker.stop()
    try:
        marketer.register()
        time.sleep(2)
        assert platform.inbox.mails(marketer.email) == []
    finally:
        broker.start()
    mails = platform.inbox.wait_for(marketer.email, timeout=40)
    marketer.verify(token_in(mails[-1]))
    marketer.log_in()


def test_an_event_survives_the_service_that_wrote_it(
    platform: Platform, broker: Server, new_marketer: NewMarketer
) -> None:
    """Auth is killed after it has answered and before its event could go out."""
    marketer = new_marketer()
    broker.stop()
    try:
        marketer.register()
        platform.services["auth"].kill()
    finally:
        broker.start()
    platform.services["auth"].start()
    platform.wait(only=["auth"])
    mails = platform.inbox.wait_for(marketer.email, timeout=60)
    marketer.verify(token_in(mails[-1]))


def test_a_mail_is_sent_once_when_email_is_killed_before_sending(platform: Platform, new_marketer: NewMarketer) -> None:
    """The event waits at the broker, or in the hands of a killed process, until email is back."""
    marketer = new_marketer()
    email = platform.services["email"]
    email.suspend()
    marketer.register()
    time.sleep(1)
    email.kill()
    email.start()
    platform.wait(only=["email"])
    mails = platform.inbox.wait_for(marketer.email, timeout=60)
    time.sleep(3)
    assert len(platform.inbox.mails(marketer.email)) == 1
    marketer.verify(token_in(mails[-1]))


@pytest.mark.parametrize("name", ["auth", "analytics"])
def test_a_stopped_service_is_a_problem_and_comes_back(platform: Platform, name: str) -> None:
    path = {"auth": "/api/auth/me", "analytics": "/api/analytics/imports"}[name]
    service = platform.services[name]
    service.terminate()
    try:
        answer = httpx.get(platform.url + path, timeout=30)
        assert answer.status_code in {502, 503, 504}
        assert answer.headers["content-type"] == "application/problem+json"
    finally:
        service.start()
        platform.wait(only=[name])
    wait_for_status(platform.url + path, 401)


def test_a_service_starts_without_its_sidecar_and_recovers(platform: Platform, new_marketer: NewMarketer) -> None:
    service = platform.services["analytics"]
    service.terminate()
    service.sidecar.kill()
    try:
        service.start(ready=False)
        assert not service.answers("ready")
        assert service.answers("live"), "the event loop is not blocked"
    finally:
        service.sidecar.start()
        platform.wait(only=["analytics"])
    wait_for_status(platform.url + "/api/analytics/imports", 401)
    assert_hears_events_again(platform, new_marketer())


def wait_for_status(url: str, status: int, seconds: float = 60) -> None:
    """The other sidecars notice within a moment that a sidecar is back."""
    deadline = time.monotonic() + seconds
    while (answer := httpx.get(url, timeout=30)).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)


def assert_hears_events_again(platform: Platform, marketer: Marketer) -> None:
    """The broker gives the partitions of a killed consumer away within seconds; then a logout is heard."""
    old = marketer.join(platform.inbox).log_out()
    marketer.seconds_until_refused(old, "/api/analytics/imports")
