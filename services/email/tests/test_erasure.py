"""Records of mails go with the user or the organisation that they were about."""

from typing import Any

from omnify_shared.ids import new_id
from support.golden import rows

REGISTERED = "omnify.auth.user.registered.v1"
DELETED = "omnify.auth.organization.deleted.v1"


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
