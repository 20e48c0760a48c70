"""Mails that an organisation asks for: sent once, searchable, stopped where their recipient does not want them."""

import asyncio
import email
import email.policy
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from omnify_shared import clock
from omnify_shared.ids import new_id
from omnify_shared.testing import ExtraApp
from support.golden import rows
from support.recorder import Recorder

WATCHER = ExtraApp("watcher", subscribes=("auth-events", "analytics-events", "email-events"))
NEWS = {"headline": "Autumn is here", "text": "The new collection.\n\nCome & see.", "link": "https://shop.example/a"}


@pytest.fixture(scope="module")
def post(new_post: Any) -> Any:
    return new_post(WATCHER)


@pytest.fixture(scope="module")
def watched(post: Any) -> Iterator[Recorder]:
    with Recorder(post.home, WATCHER.app_id) as recorder:
        yield recorder


@pytest.fixture
def owner(post: Any) -> Any:
    return post.caller(new_id())


def parsed(mail: dict[str, Any]) -> EmailMessage:
    return email.message_from_string(mail["data"], policy=email.policy.default)


def wanted(*names: str, template: str = "announcement", **more: Any) -> dict[str, Any]:
    recipients = [{"email": f"{name}@shop.example"} for name in names]
    return {"template": template, "values": NEWS, "recipients": recipients, **more}


async def asked(owner: Any, *names: str, **more: Any) -> list[str]:
    """The ids of the mails of a new request."""
    answer = await owner("POST", "/messages", json=wanted(*names, **more))
    assert answer.status_code == 202, answer.text
    request_id = answer.json()["request_id"]
    return [f"{request_id}.{number:02}" for number in range(len(names))]


async def test_each_recipient_gets_a_mail_of_their_own_with_one_click_to_unsubscribe(
    post: Any, owner: Any, watched: Recorder
) -> None:
    first, second = await asked(owner, "ann", "ben")
    message = parsed(await post.one("smtp", "ann"))
    assert message["Subject"] == "Autumn is here"
    assert message["To"] == "ann@shop.example"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = message["List-Unsubscribe"].strip("<>")
    assert link.startswith("https://omnify.example/api/email/unsubscribe/")
    assert "ann" not in link
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert "Come" in body.get_content()
    await post.one("smtp", "ben")
    shown = await owner.message(second, "sent")
    assert shown["to"] == "b***@shop.example"
    assert link.rpartition("/")[2] not in (await owner.message(first, "sent"))["text"]
    await post.until(lambda: {e["data"]["message_id"] for e in sent(watched)} >= {first, second})


def sent(watched: Recorder) -> list[dict[str, Any]]:
    return [event for event in watched.events if event["type"] == "omnify.email.message.sent.v1"]


async def test_the_same_key_is_the_same_request(post: Any, owner: Any) -> None:
    body, headers = wanted("cleo"), {"idempotency-key": "k1"}
    first = await owner("POST", "/messages", json=body, headers=headers)
    again = await owner("POST", "/messages", json=body, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = await owner("POST", "/messages", json=wanted("dean"), headers=headers)
    assert other.status_code == 422
    await post.one("smtp", "cleo")


@pytest.mark.parametrize("point", ["queued"])  # the others are R7's
async def test_killed_while_it_takes_a_request_on_and_asked_again_it_sends_once(
    post: Any, owner: Any, point: str
) -> None:
    body, headers = wanted(f"kill.{point}"), {"idempotency-key": f"k-{point}"}
    post.email.die_at(f"email.request.{point}")
    with pytest.raises(Exception, match=r"disconnect|reset|closed|Server|refused"):
        await owner("POST", "/messages", json=body, headers=headers)
    await asyncio.to_thread(post.email.wait_for_death)
    await asyncio.to_thread(post.email.start)

    async def taken() -> bool:
        answer = await owner("POST", "/messages", json=body, headers=headers)
        assert answer.status_code in (202, 409), answer.text  # 409 while the dead one's attempt may still run
        return bool(answer.status_code == 202)

    await post.until(taken, 120)
    await post.one("smtp", f"kill.{point}")


@pytest.mark.parametrize("point", ["minted"])  # the others are R7's
async def test_killed_while_it_sends_a_message_it_sends_once(post: Any, owner: Any, point: str) -> None:
    post.email.die_at(f"email.send.{point}")
    [one] = await asked(owner, f"die.{point}")
    await asyncio.to_thread(post.email.wait_for_death)
    await asyncio.to_thread(post.email.start)
    await owner.message(one, "sent", seconds=90)
    await post.one("smtp", f"die.{point}")


async def test_a_click_stops_the_category_at_once_and_no_other(post: Any, owner: Any, watched: Recorder) -> None:
    await asked(owner, "eli")
    link = parsed(await post.one("smtp", "eli"))["List-Unsubscribe"].strip("<>")
    path = link.partition("/api/email")[2]
    anybody = post.caller(new_id(), "viewer")
    page = await anybody("GET", path, headers={"accept-language": "de"})
    assert page.status_code == 200
    assert "Abbestellen" in page.text
    assert (await owner("GET", "/suppressions?to=eli@shop.example")).json()["suppressions"] == []
    form = {"List-Unsubscribe": "One-Click"}
    assert (await anybody("POST", path, data=form, headers={"authorization": ""})).status_code == 200
    [stopped] = await asked(owner, "eli")
    assert (await owner.message(stopped, "suppressed"))["reason"] == "suppressed: unsubscribed"
    [other] = await asked(owner, "eli", template="notice")
    await owner.message(other, "sent")
    [shown] = (await owner("GET", "/suppressions?to=ELI@shop.example")).json()["suppressions"]
    assert [reason["reason"] for reason in shown["reasons"]] == ["unsubscribed:marketing"]
    assert len(post.taken("smtp", "eli")) == 2
    await post.until(lambda: watched.first("omnify.email.message.suppressed.v1")["data"]["message_id"] == stopped)


async def test_a_notice_carries_no_unsubscription(post: Any, owner: Any) -> None:
    await asked(owner, "fred", template="notice")
    assert parsed(await post.one("smtp", "fred"))["List-Unsubscribe"] is None


@pytest.mark.parametrize("token", ["x", "eyJ9.AAAA", "a.b.c", "%20", "e" * 600])
async def test_a_link_that_is_not_ours_says_so(post: Any, owner: Any, token: str) -> None:
    for method in ("GET", "POST"):
        assert (await owner(method, f"/unsubscribe/{token}")).status_code in (404, 422)


async def test_an_organisations_list_stops_mails_and_can_be_lifted(post: Any, owner: Any) -> None:
    added = await owner("POST", "/suppressions", json={"emails": ["gus@shop.example"], "note": "asked by phone"})
    assert added.status_code == 201
    [stopped] = await asked(owner, "gus", template="notice")
    assert (await owner.message(stopped, "suppressed"))["reason"] == "suppressed: manual"
    [listed] = (await owner("GET", "/suppressions")).json()["suppressions"]
    assert listed["to"] == "g***@shop.example"
    stranger = post.caller(new_id())
    assert (await stranger("GET", "/suppressions")).json()["suppressions"] == []
    assert (await stranger("DELETE", f"/suppressions/{listed['suppression_id']}")).status_code == 404
    assert (await owner("DELETE", f"/suppressions/{listed['suppression_id']}")).status_code == 204
    assert (await owner("GET", "/suppressions")).json()["suppressions"] == []
    again = await owner("POST", f"/messages/{stopped}/resend")
    assert again.status_code == 202
    assert again.json()["resend_of"] == stopped
    await post.one("smtp", "gus")


async def test_a_bounce_stops_everybody_and_security_mail_too_a_complaint_only_its_organisation(
    post: Any, owner: Any, watched: Recorder
) -> None:
    bounced, complained = await asked(owner, "hugo", "iris")
    for one in (bounced, complained):
        await owner.message(one, "sent")
    events = [told(bounced, "bounce", "hugo", "b1", status="5.1.1"), told(complained, "spamreport", "iris", "c1")]
    assert (await post.told(*events)).json() == {"taken": 2}
    assert (await owner.message(bounced, "bounced"))["timeline"][0]["detail"] == "5.1.1"
    await owner.message(complained, "complained")
    neighbour = post.caller(new_id())
    for caller, name, status in (
        (owner, "hugo", "suppressed"), (neighbour, "hugo", "suppressed"), (owner, "iris", "suppressed"),
        (neighbour, "iris", "sent"),
    ):  # fmt: skip
        [again] = await asked(caller, name, template="notice")
        await caller.message(again, status)
    letter = await post.registered("v--hugo")
    assert (await post.status(letter, "skipped"))["reason"] == "suppressed: bounce"
    letter = await post.registered("v--iris")
    await post.status(letter, "sent")
    outcomes = [e["data"]["outcome"] for e in watched.events if e["type"] == "omnify.email.message.bounced.v1"]
    await post.until(lambda: watched.first("omnify.email.message.bounced.v1"))
    assert set(outcomes) <= {"bounced", "complained"}


async def test_a_server_that_says_nobody_is_there_stops_what_would_follow(post: Any, owner: Any) -> None:
    [refused] = await asked(owner, "perm.xena")
    assert (await owner.message(refused, "failed"))["reason"] == "smtp: refused with 550"
    [again] = await asked(post.caller(new_id()), "perm.xena", template="notice")
    assert again
    [stopped] = (await owner("GET", "/suppressions?to=perm.xena@shop.example")).json()["suppressions"]
    assert stopped["reasons"][0]["reason"] == "bounce"


def told(message_id: str, event: str, name: str, event_id: str, **more: Any) -> dict[str, Any]:
    stamp = int(clock.now().timestamp())
    about = {"email": f"{name}@shop.example", "timestamp": stamp, "omnify_mail": message_id}
    return {"event": event, "sg_event_id": f"{event_id}-{message_id}", "sg_message_id": "m", **about, **more}


async def test_events_told_out_of_order_and_twice_make_one_timeline(post: Any, owner: Any, watched: Recorder) -> None:
    [one] = await asked(owner, "jack")
    await owner.message(one, "sent")
    early = int(clock.now().timestamp()) - 60
    events = [
        told(one, "delivered", "jack", "d1"),
        told(one, "processed", "jack", "p1", timestamp=early),
        told(one, "open", "jack", "o1"),
        told(one, "made_up", "jack", "x1"),
        told(new_id(), "delivered", "jack", "y1"),
        {"event": "delivered", "sg_event_id": 7},
    ]
    assert (await post.told(*events)).json() == {"taken": 3}
    assert (await post.told(*reversed(events))).json() == {"taken": 3}
    assert (await post.told(told(one, "deferred", "jack", "f1", timestamp=early + 1))).json() == {"taken": 1}
    shown = await owner.message(one, "delivered")
    assert [entry["what"] for entry in shown["timeline"]][:2] == ["processed", "deferred"]
    assert len(shown["timeline"]) == 4
    await post.until(lambda: watched.first("omnify.email.message.delivered.v1")["data"]["message_id"] == one)


async def test_a_batch_that_is_not_signed_or_too_old_or_no_batch_is_refused(post: Any, owner: Any) -> None:
    [one] = await asked(owner, "kate")
    await owner.message(one, "sent")
    event = told(one, "bounce", "kate", "k1")
    assert (await post.told(event, age=301)).status_code == 403
    unsigned = await owner("POST", "/events/sendgrid", json=[event])
    assert unsigned.status_code == 403
    assert unsigned.json()["type"].endswith("signature-refused")
    assert (await owner.message(one, "sent"))["timeline"] == []


@pytest.mark.parametrize("point", ["stopped", "noted"])
async def test_killed_while_it_takes_events_in_it_counts_them_once(post: Any, owner: Any, point: str) -> None:
    name = f"lea.{point}"
    [one] = await asked(owner, name)
    await owner.message(one, "sent")
    event = told(one, "bounce", name, "l1", status="5.1.1")
    post.email.die_at(f"email.event.{point}")
    with pytest.raises(Exception, match=r"disconnect|reset|closed|Server|refused"):
        await post.told(event)
    await asyncio.to_thread(post.email.wait_for_death)
    await asyncio.to_thread(post.email.start)
    assert (await post.told(event)).json() == {"taken": 1}
    assert len((await owner.message(one, "bounced"))["timeline"]) == 1


async def test_a_search_finds_by_status_recipient_category_and_day_and_pages(post: Any, owner: Any) -> None:
    mails = await asked(owner, "mona", "nick", "otto")
    [notice] = await asked(owner, "mona", template="notice")
    for one in (*mails, notice):
        await owner.message(one, "sent")

    async def found(query: str) -> list[str]:
        answer = await owner("GET", f"/messages?{query}")
        assert answer.status_code == 200, answer.text
        return [one["message_id"] for one in answer.json()["messages"]]

    today = clock.now().date()
    assert await found("") == [notice, *mails]
    assert await found("to=Mona@shop.example") == [notice, mails[0]]
    assert await found("category=transactional") == [notice]
    assert await found("status=sent&category=marketing") == mails
    assert await found("status=bounced") == []
    assert await found(f"until={today - timedelta(days=1)}") == []
    assert await found(f"from={today - timedelta(days=1)}") == [notice, *mails]
    seen, cursor = [], ""
    while True:
        page = (await owner("GET", f"/messages?limit=2{cursor}")).json()
        seen += [one["message_id"] for one in page["messages"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [notice, *mails]
    assert (await owner("GET", "/messages?cursor=nonsense")).status_code == 400
    stranger = post.caller(new_id())
    assert (await stranger("GET", "/messages")).json()["messages"] == []
    for path in (f"/messages/{mails[0]}", f"/requests/{mails[0].partition('.')[0]}"):
        assert (await stranger("GET", path)).status_code == 404
    assert (await stranger("POST", f"/messages/{mails[0]}/resend")).status_code == 404
    assert (await owner("GET", f"/messages/{mails[0].partition('.')[0]}.07")).status_code == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"recipients": []}, 422),
        ({"recipients": [{"email": f"p{n}@shop.example"} for n in range(51)]}, 422),
        ({"recipients": [{"email": "a@b.example\r\nBcc: c@d.example"}]}, 422),
        ({"recipients": [{"email": "a@b.example", "name": "A\r\nBcc: x"}]}, 422),
        ({"values": {"headline": "Hi\r\nBcc: x@y.example", "text": "t"}}, 422),
        ({"values": {"headline": "Hi"}}, 422),
        ({"template": "password_reset"}, 404),
        ({"sender": {"email": "news@shop.example", "name": "Shop"}}, 409),
        ({"organization_id": "another"}, 422),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_sent(owner: Any, change: Any, status: int) -> None:
    answer = await owner("POST", "/messages", json=wanted("nobody") | change)
    assert answer.status_code == status, answer.text
    assert (await owner("GET", "/messages")).json()["messages"] == []


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        ("viewer", "POST", "/messages", 403),
        ("viewer", "GET", "/messages", 200),
        ("member", "POST", "/suppressions", 403),
        ("viewer", "GET", "/suppressions", 403),
        ("manager", "GET", "/suppressions", 200),
        ("manager", "POST", "/domains", 403),
    ],
)
async def test_roles_say_who_may_what(post: Any, role: str, method: str, path: str, status: int) -> None:
    body = wanted("nobody") if path == "/messages" else {"emails": ["a@b.example"]}
    options = {"json": body} if method == "POST" else {}
    assert (await post.caller(new_id(), role)(method, path, **options)).status_code == status


async def test_a_preference_counts_for_the_next_mail_and_a_default_for_those_who_chose_nothing(post: Any) -> None:
    owner = post.caller(new_id(), name="rosa")
    assert (await owner("GET", "/preferences")).json() == {"categories": {"product": True, "marketing": True}}
    changed = await owner("PUT", "/preferences", json={"categories": {"product": False}})
    assert changed.json() == {"categories": {"product": False, "marketing": True}}
    [stopped] = await asked(owner, "rosa", template="product_update")
    await owner.message(stopped, "suppressed")
    assert (await owner("PUT", "/defaults", json={"categories": {"marketing": False}})).status_code == 200
    by_default, chosen = await asked(owner, "silent", "rosa")
    await owner.message(by_default, "suppressed")
    assert (await owner("GET", "/preferences")).json()["categories"]["marketing"] is False
    await owner("PUT", "/preferences", json={"categories": {"marketing": True}})
    [again] = await asked(owner, "rosa")
    await owner.message(again, "sent")
    assert (await owner("PUT", "/preferences", json={"categories": {"security": False}})).status_code == 422
    await owner.message(chosen, "suppressed")


async def test_a_preview_sends_nothing_and_a_test_goes_to_its_caller_alone(post: Any) -> None:
    owner = post.caller(new_id(), name="tess")
    listed = (await owner("GET", "/templates")).json()["templates"]
    assert {"verification", "announcement"} <= {one["name"] for one in listed}
    german = await owner("POST", "/templates/verification/preview", json={}, headers={"accept-language": "de-CH"})
    assert german.json()["subject"] == "Bestätigen Sie Ihre E-Mail-Adresse"
    assert (await owner("POST", "/templates/nothing/preview", json={})).status_code == 404
    form = {"values": {"headline": "A <b>try</b>"}, "locale": "en"}
    assert "A &lt;b&gt;try" in (await owner("POST", "/templates/announcement/preview", json=form)).json()["html"]
    assert (await owner("POST", "/templates/announcement/test", json=form)).status_code == 202
    assert parsed(await post.one("smtp", "tess"))["Subject"] == "[Test] A <b>try</b>"
    answers = [(await owner("POST", "/templates/announcement/test", json=form)).status_code for _ in range(11)]
    assert answers[-1] == 429


async def test_what_is_stored_and_logged_names_nobody(post: Any, owner: Any, set_name: str) -> None:
    secret = f"quiet{new_id()[-6:]}"
    await asked(owner, secret)
    await post.one("smtp", secret)
    assert secret not in post.email.log.read_text()
    if set_name == "local":
        stored = list(rows(post.home, "email"))
        assert any(key.startswith("request/") for key, _ in stored)
        assert not any(secret.encode() in value for _, value in stored)


async def test_everything_of_an_organisation_goes_with_it(post: Any, owner: Any, set_name: str) -> None:
    [one] = await asked(owner, "ulla")
    await owner.message(one, "sent")
    await owner("POST", "/suppressions", json={"emails": ["vera@shop.example"]})
    await owner("POST", "/domains", json={"domain": "shop.example"})
    await post.publish("omnify.auth.organization.deleted.v1", organization_id=owner.organization_id)

    async def gone() -> bool:
        answers = [await owner("GET", path) for path in ("/messages", "/suppressions", "/domains")]
        return all(not next(iter(answer.json().values())) for answer in answers)

    await post.until(gone)
    if set_name == "local":
        left = [key for key, _ in rows(post.home, "email") if owner.organization_id in key]
        await post.until(lambda: [key for key in left if not key.startswith("erasure/")] == [], 1)
