"""Records of mails go with the user or the organisation that they were about, choices with who made them."""

from dataclasses import replace
from typing import Any

import httpx2 as httpx

from omnify_shared.ids import new_id
from support.golden import rows

REGISTERED = "omnify.auth.user.registered.v1"
DELETED = "omnify.auth.organization.deleted.v1"
ERASED = "omnify.auth.user.erased.v1"


async def mailed(post: Any, organization_id: str) -> str:
    """The event of a mail that was sent about an organisation."""
    event_id: str = await post.publish(
        REGISTERED, verification_id=f"{new_id()}--{new_id()}", user_id=new_id(), organization_id=organization_id
    )
    assert (await post.status(event_id, "sent"))["status"] == "sent"
    return event_id


async def test_records_go_with_their_organisation(post: Any, set_name: str) -> None:
    gone, kept = new_id(), new_id()
    first, second, other = [await mailed(post, one) for one in (gone, gone, kept)]
    await post.publish(DELETED, organization_id=gone)

    async def erased() -> bool:
        answers = [await post.ask("GET", f"/mails/{event_id}") for event_id in (first, second)]
        return [answer.status_code for answer in answers] == [404, 404]

    await post.until(erased)
    assert (await post.ask("GET", f"/mails/{other}")).status_code == 200
    if set_name == "local":
        keys = {key for key, _ in rows(post.home, "email") if gone in key and not key.startswith("erasure/")}
        assert keys == set()


async def chosen(post: Any, user_id: str) -> list[Any]:
    """The choices of which auth is told."""
    headers = post.email.headers | {"dapr-caller-app-id": "auth"}
    async with httpx.AsyncClient(base_url=post.email.url, headers=headers, timeout=30) as client:
        answer = await client.get(f"/internal/users/{user_id}/export")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["choices"])


async def test_what_an_erased_user_wanted_goes_and_what_they_refused_is_kept_without_them(
    post: Any, set_name: str
) -> None:
    organization_id, user_id = new_id(), new_id()
    token = post.signer.token(org=organization_id, roles=["owner"], sub=user_id)
    owner = replace(post.caller(organization_id), token=token)
    wanted = {"product": True, "marketing": False}
    assert (await owner("PUT", "/preferences", json={"categories": wanted})).status_code == 200
    assert await chosen(post, user_id) == [{"organization_id": organization_id, "choices": wanted}]
    await post.publish(ERASED, user_id=user_id, erasure_id=new_id())

    async def forgotten() -> bool:
        return await chosen(post, user_id) == []

    await post.until(forgotten)
    suppressed = (await owner("GET", "/suppressions")).json()["suppressions"]
    assert [(one["to"], [why["reason"] for why in one["reasons"]]) for one in suppressed] == [
        ("***", ["unsubscribed:marketing"])
    ]
    if set_name == "local":
        left = [key for key, data in rows(post.home, "email") if user_id.encode() in key.encode() + data]
        assert [key for key in left if not key.startswith(("erasure/", "outbox/"))] == []
