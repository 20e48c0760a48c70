"""Which provider is asked, and when one is left alone."""

import pytest

from omnify_email.errors import PermanentError, TransientError
from omnify_email.senders.failover import REST, TOLERATED, Breaker, Failover
from omnify_email.senders.mail import Before, Mail
from omnify_email.senders.sandbox import SandboxSender
from omnify_email.settings import EmailSettings

MAIL = Mail("<m@x>", "a@b.example", "", "S", "t", "<p>h</p>")


class Provider:
    """Takes mails, or raises `error` as long as there is one."""

    tells = False

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.name, self.error, self.asked = name, error, 0

    async def send(self, mail: Mail, before: Before) -> None:
        self.asked += 1
        if self.error:
            raise self.error


async def unrecorded(*_: object) -> None:
    pass


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_the_first_provider_is_preferred() -> None:
    first, second = Provider("a"), Provider("b")
    assert await Failover([first, second]).send(MAIL, unrecorded) == "a"
    assert second.asked == 0


async def test_a_refusal_for_good_is_no_reason_to_ask_another() -> None:
    first, second = Provider("a", PermanentError("no")), Provider("b")
    with pytest.raises(PermanentError):
        await Failover([first, second]).send(MAIL, unrecorded)
    assert second.asked == 0


async def test_a_mail_that_may_have_been_taken_is_not_given_to_another() -> None:
    first, second = Provider("a", TransientError("broke off", certain=False)), Provider("b")
    with pytest.raises(TransientError, match="broke off"):
        await Failover([first, second]).send(MAIL, unrecorded)
    assert second.asked == 0


async def test_a_provider_that_fails_is_left_alone_and_comes_back(clock: Clock) -> None:
    first, second = Provider("a", TransientError("down")), Provider("b")
    ways = Failover([first, second], lambda: Breaker(clock))
    for _ in range(TOLERATED + 3):
        assert await ways.send(MAIL, unrecorded) == "b"
    assert first.asked == TOLERATED
    clock.now += REST
    assert await ways.send(MAIL, unrecorded) == "b"  # one mail tries it, in vain
    assert await ways.send(MAIL, unrecorded) == "b"
    assert first.asked == TOLERATED + 1
    clock.now += REST
    first.error = None
    assert [await ways.send(MAIL, unrecorded) for _ in range(2)] == ["a", "a"]


async def test_one_refused_recipient_says_nothing_about_the_provider() -> None:
    first = Provider("a", TransientError("greylisted", provider=False))
    ways = Failover([first, Provider("b")])
    for _ in range(2 * TOLERATED):
        assert await ways.send(MAIL, unrecorded) == "b"
    assert first.asked == 2 * TOLERATED


async def test_with_every_provider_down_the_mail_waits_and_says_why() -> None:
    ways = Failover([Provider("a", TransientError("a: down")), Provider("b", TransientError("b: down"))])
    with pytest.raises(TransientError, match="a: down; b: down"):
        await ways.send(MAIL, unrecorded)


async def test_the_sandbox_delivers_nothing_and_refuses_on_wish() -> None:
    await SandboxSender().send(MAIL, unrecorded)
    for wish, error in (("refused", PermanentError), ("busy", TransientError)):
        with pytest.raises(error):
            await SandboxSender().send(Mail("<m@x>", f"a+{wish}@b.example", "", "S", "t", "<p>h</p>"), unrecorded)


def test_there_is_no_fallback_unless_one_is_named() -> None:
    assert EmailSettings(environment="test").fallback is None
