"""The process killed at each point between receiving an event and sending its mail: one mail, on every set."""

from typing import Any


async def test_killed_while_it_asks_auth(post: Any) -> None:
    event_id = await post.registered("slow-1--kim")
    await post.until((post.folder / "slow-1--kim.asked").exists)
    post.email.kill()
    assert post.taken("smtp", "kim") == []
    (post.folder / "slow-1--kim").touch()
    post.email.start()
    await post.one("smtp", "kim", seconds=60)
    assert (await post.status(event_id, "sent"))["attempts"] == 2


async def test_killed_while_the_mail_server_has_not_answered(post: Any) -> None:
    event_id = await post.registered("v--stall1")
    await post.until((post.folder / "smtp.stalled").exists)
    post.email.kill()
    post.email.start()
    await post.one("smtp", "stall1", seconds=60)
    assert (await post.status(event_id, "sent"))["attempts"] == 2


async def test_killed_with_its_sidecar(post: Any) -> None:
    event_id = await post.registered("slow-2--leo")
    await post.until((post.folder / "slow-2--leo.asked").exists)
    post.email.kill()
    post.email.sidecar.kill()
    (post.folder / "slow-2--leo").touch()
    post.email.sidecar.launch()
    post.email.start()
    await post.one("smtp", "leo", seconds=60)
    await post.status(event_id, "sent")


async def test_an_event_that_came_while_it_was_away_is_mailed_when_it_is_back(post: Any) -> None:
    post.email.kill()
    await post.registered("v--mia")
    post.email.start()
    await post.one("smtp", "mia", seconds=60)
