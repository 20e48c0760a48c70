"""Killed at each step of a send through SendGrid, which tells what it took: nothing lost, nothing doubled."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from omnify_shared.ids import new_id

WAIT = "EMAIL_SECURITY_OUTCOME_WAIT"


@pytest.fixture(scope="module")
def post(new_post: Callable[..., Any]) -> Any:
    return new_post(EMAIL_PROVIDER="sendgrid", **{WAIT: "600"})


async def killed(post: Any, point: str, recipient: str) -> str:
    """The id of a mail that was being sent when the service died at that point, or when another one had it die."""
    post.email.die_at(f"email.send.{point}")
    event_id: str = await post.registered(f"v--{recipient}")
    await revived(post)
    return event_id


async def revived(post: Any) -> None:
    await asyncio.to_thread(post.email.wait_for_death)
    await asyncio.to_thread(post.email.start)


async def test_a_mail_whose_outcome_the_provider_tells_is_sent_once_wherever_the_process_dies(post: Any) -> None:
    mails = {point: await killed(post, point, f"{point}1") for point in ("claimed", "minted", "sent", "recorded")}
    owner, notice = post.caller(new_id()), {"headline": "News", "text": "Come and see."}
    post.email.die_at("email.send.sent")
    wanted = {"template": "notice", "values": notice, "recipients": [{"email": "customer1@shop.example"}]}
    asked = await owner("POST", "/messages", json=wanted)
    await revived(post)
    for point, event_id in mails.items():
        await post.status(event_id, "sent", seconds=90)
        await post.one("sendgrid", f"{point}1")
    shown = await owner.message(f"{asked.json()['request_id']}.00", "delivered", seconds=90)
    assert shown["provider"] == "sendgrid"
    await post.one("sendgrid", "customer1")


async def test_a_mail_that_nothing_is_told_of_is_sent_again_as_the_same_one(post: Any) -> None:
    post.email.terminate()
    post.email.environment[WAIT] = "5"
    await asyncio.to_thread(post.email.start)
    silent = await killed(post, "sent", "mute1")
    untaken = await killed(post, "intended", "intended1")
    for event_id in (silent, untaken):
        await post.status(event_id, "sent", seconds=90)
    await post.one("sendgrid", "intended1")
    first, second = post.taken("sendgrid", "mute1")
    assert first["headers"]["Message-ID"] == second["headers"]["Message-ID"]
