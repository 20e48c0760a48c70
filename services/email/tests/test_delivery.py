"""Mails on events: real sidecar, real broker, strict SMTP server, on every component set."""

import asyncio
import base64
import email
import email.policy
import json
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest


def parsed(mail: dict[str, Any]) -> EmailMessage:
    return email.message_from_string(mail["data"], policy=email.policy.default)


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


async def test_a_registration_is_followed_by_one_mail_with_a_fresh_link(post: Any) -> None:
    event_id = await post.registered("v--ana")
    mail = await post.one("smtp", "ana")
    message = parsed(mail)
    assert mail["to"] == ["ana@shop.example"]
    assert message["From"] == "Omnify <no-reply@omnify.localhost>"
    assert message["To"] == "Ana Silva <ana@shop.example>"
    assert message["Subject"] == "Confirm your email address"
    assert message["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        assert "https://omnify.example/verify-email#token=tok%2B" in part(message, kind)
        assert "23 November 2026, 16:00 UTC" in part(message, kind)
    record = await post.status(event_id, "sent")
    assert (record["kind"], record["attempts"], record["reason"]) == ("verification", 1, None)


async def test_a_resent_link_and_a_repeated_registration_have_mails_of_their_own(post: Any) -> None:
    await post.publish("omnify.auth.verification.requested.v1", verification_id="v--bea")
    await post.publish("omnify.auth.registration.repeated.v1", user_id="u--cid", notice_id="n1")
    assert "#token=" in part(parsed(await post.one("smtp", "bea")), "plain")
    notice = parsed(await post.one("smtp", "cid"))
    assert notice["Subject"] == "You already have an Omnify account"
    assert "token" not in part(notice, "plain") + part(notice, "html")


async def test_a_letter_is_what_auth_says_with_a_link_or_without(post: Any) -> None:
    requested = "omnify.auth.letter.requested.v1"
    linked = await post.publish(requested, letter_id="password_reset--gil", kind="password_reset")
    await post.publish(requested, letter_id="password_changed--ian", kind="password_changed")
    message = parsed(await post.one("smtp", "gil"))
    assert message["Subject"] == "Choose a new password"
    for kind in ("plain", "html"):
        assert "https://omnify.example/reset-password#token=tok%2B" in part(message, kind)
    notice = parsed(await post.one("smtp", "ian"))
    assert notice["Subject"] == "Your password was changed"
    assert "token" not in part(notice, "plain") + part(notice, "html")
    assert (await post.status(linked, "sent"))["kind"] == "password_reset"


@pytest.mark.parametrize(
    ("kind", "subject", "said"),
    [
        ("new_device", "A new sign-in to your account", ("Firefox on Linux", "203.0.113.0/24", "23 November 2026")),
        ("factors_changed", "Your second factors changed", ("a passkey was added", "23 November 2026")),
        ("many_failures", "Wrong passwords before your sign-in", ("after 7 wrong tries",)),
        ("session_reused", "We ended a session of yours", ("from two places",)),
    ],
)
async def test_what_a_user_should_know_is_mailed(post: Any, kind: str, subject: str, said: tuple[str, ...]) -> None:
    who = kind.replace("_", ".")
    await post.publish("omnify.auth.letter.requested.v1", letter_id=f"{kind}--{who}", kind=kind)
    message = parsed(await post.one("smtp", who))
    assert message["Subject"] == subject
    for body in ("plain", "html"):
        assert all(text in part(message, body) for text in (*said, "https://omnify.example"))


async def test_an_event_delivered_many_times_is_mailed_once(post: Any) -> None:
    first = await post.registered("v--dan")
    await asyncio.gather(*(post.registered("v--dan", first) for _ in range(8)))
    await post.one("smtp", "dan")
    await post.registered("v--dan", first)
    await asyncio.sleep(1)
    await post.one("smtp", "dan")
    assert (await post.status(first, "sent"))["attempts"] == 1


async def test_nothing_is_sent_when_auth_no_longer_knows_the_reason(post: Any) -> None:
    event_id = await post.registered("gone--eva")
    record = await post.status(event_id, "skipped")
    assert record["reason"]
    assert post.taken("smtp", "eva") == []


async def test_a_name_is_never_markup_or_a_header(post: Any) -> None:
    await post.registered("odd--fay")
    message = parsed(await post.one("smtp", "fay"))
    assert message["To"] == "fay@shop.example"
    assert "Hi there," in part(message, "html")
    assert "Silva</b>" not in part(message, "html")


async def test_a_refusal_for_good_is_a_dead_letter_with_its_reason(post: Any) -> None:
    event_id = await post.registered("v--perm1")
    record = await post.status(event_id, "failed")
    assert record["reason"] == "smtp: refused with 550"

    async def listed() -> bool:
        letters = (await post.ask("GET", "/dead-letters")).json()["items"]
        return any(event_id in letter["id"] and "550" in letter["reason"] for letter in letters)

    await post.until(listed)
    again = await post.ask("POST", f"/mails/{event_id}/retry")
    assert again.status_code == 409
    assert "550" in again.json()["detail"]


async def test_mails_wait_for_a_mail_server_that_is_away(post: Any) -> None:
    post.servers["smtp"].kill()
    event_id = await post.registered("v--gil")
    waiting = await post.status(event_id, "waiting")
    assert waiting["reason"].startswith("smtp: ")
    post.start_smtp()
    await post.one("smtp", "gil")
    assert (await post.status(event_id, "sent"))["attempts"] == 2


async def test_what_is_stored_and_logged_names_nobody(post: Any) -> None:
    await post.registered("v--hal")
    await post.one("smtp", "hal")
    log = post.email.log.read_text()
    assert "hal@shop.example" not in log
    assert "tok+" not in log
    assert "tok%2B" not in log
    for line in log.splitlines():
        assert json.loads(line)["app"] == "email"
    _check_state(post.home.path / ".omnify/data/email.db")


def _check_state(database: Path) -> None:
    if database.exists():
        stored = _decoded(database.read_bytes() + database.with_name("email.db-wal").read_bytes())
        assert b"hal@shop.example" not in stored
        assert b"tok+" not in stored


def _decoded(file: bytes) -> bytes:
    """What a file holds, with the base64 in which the SQLite store keeps bytes undone."""
    texts = re.findall(rb"[A-Za-z0-9+/]{40,}={0,2}", file)
    return file + b" ".join(base64.b64decode(text[: len(text) // 4 * 4]) for text in texts)
