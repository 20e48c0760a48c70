"""Mails through SendGrid's SDK, to a server that takes only what its v3 API takes."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="module")
def set_name() -> str:
    return "local"


@pytest.fixture(scope="module")
def post(new_post: Callable[..., Any]) -> Any:
    return new_post(EMAIL_PROVIDER="sendgrid", EMAIL_SENDER_ADDRESS="hello@omnify.example")


async def test_the_request_is_what_the_api_takes(post: Any) -> None:
    event_id = await post.registered("v--ana")
    mail = await post.one("sendgrid", "ana")
    assert mail["from"] == {"email": "hello@omnify.example", "name": "Omnify"}
    assert mail["personalizations"] == [{"to": [{"email": "ana@shop.example", "name": "Ana Silva"}]}]
    assert "https://omnify.example/verify-email#token=tok%2B" in mail["content"][0]["value"]
    assert mail["headers"]["Message-ID"].endswith("@omnify.example>")
    await post.status(event_id, "sent")


async def test_a_busy_provider_is_tried_again(post: Any) -> None:
    event_id = await post.registered("v--busy1")
    await post.one("sendgrid", "busy1")
    assert (await post.status(event_id, "sent"))["attempts"] == 2


async def test_a_refused_mail_has_failed(post: Any) -> None:
    event_id = await post.registered("v--bad1")
    assert (await post.status(event_id, "failed"))["reason"] == "sendgrid: refused with 400"
