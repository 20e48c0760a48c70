"""Mails through SendGrid's SDK, to a server that takes only what its v3 API takes."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.one_set("what a provider is sent is the same on all sets")


@pytest.fixture(scope="module")
def post(new_post: Callable[..., Any]) -> Any:
    settings = {"PROVIDER": "sendgrid", "FALLBACK": "smtp", "SENDER_ADDRESS": "hello@omnify.example"}
    return new_post(**{f"EMAIL_{name}": value for name, value in settings.items()})


async def test_the_request_is_what_the_api_takes(post: Any) -> None:
    event_id = await post.registered("v--ana")
    mail = await post.one("sendgrid", "ana")
    assert mail["from"] == {"email": "hello@omnify.example", "name": "Omnify"}
    assert mail["personalizations"] == [{"to": [{"email": "ana@shop.example", "name": "Ana Silva"}]}]
    assert "https://omnify.example/verify-email#token=tok%2B" in mail["content"][0]["value"]
    assert mail["headers"]["Message-ID"].endswith("@omnify.example>")
    assert mail["custom_args"] == {"omnify_mail": event_id}
    await post.status(event_id, "sent")
    assert post.taken("smtp", "ana") == []


@pytest.mark.parametrize("who", ["busy1", "down1"])
async def test_what_a_provider_has_surely_not_taken_goes_through_the_other_at_once(post: Any, who: str) -> None:
    event_id = await post.registered(f"v--{who}")
    await post.one("smtp", who)
    assert (await post.status(event_id, "sent"))["attempts"] == 1
    assert post.taken("sendgrid", who) == []


async def test_a_refused_mail_has_failed(post: Any) -> None:
    event_id = await post.registered("v--bad1")
    assert (await post.status(event_id, "failed"))["reason"] == "sendgrid: refused with 400"
