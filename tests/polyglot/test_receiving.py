"""What the programs do with events that come twice, out of order or broken, or from somebody else than the sidecar."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from omnify_local.admission import Guest
from omnify_local.ports import free_port
from omnify_shared.testing import ExtraApp, Sidecar
from omnify_shared.testing.plugin import NewHome, NewSidecar
from polyglot.conftest import Commands
from polyglot.programs import LANGUAGES, Caller

# The first test may have to fetch packages, compile Go's own library and start a platform.
pytestmark = pytest.mark.timeout(400)
TOPIC = "auth-events"
Event = dict[str, Any]


@pytest.fixture(params=LANGUAGES)
def caller(
    request: pytest.FixtureRequest, commands: Commands, new_home: NewHome, new_sidecar: NewSidecar, tmp_path: Path
) -> Iterator[Caller]:
    """A program that takes events, and beside it an app `author` that may publish what auth does."""
    guest = Guest.consumer(f"{request.param}-caller", [TOPIC])
    home = new_home("local", extra=[guest, ExtraApp("author", publishes=(TOPIC,))])
    home.allow_all_apis()
    sidecar = new_sidecar(home, guest.app_id, app_port=free_port(), start=False)
    made = Caller(commands[request.param], sidecar, tmp_path)
    sidecar.launch()
    made.listen()
    try:
        sidecar.wait_for_app(120)
        yield made
    finally:
        made.kill()


@pytest.fixture
def author(caller: Caller, new_sidecar: NewSidecar) -> Sidecar:
    return new_sidecar(caller.sidecar.home, "author", start=False).start(120)


def event(number: str, sequence: int, **changes: Any) -> Event:
    """An end of a session, as auth publishes it."""
    data = {"session_id": "s1", "expires_at": "2026-01-01T00:00:00Z"}
    known = {"specversion": "1.0", "id": number, "source": "auth", "type": "omnify.auth.session.revoked.v1"}
    more = {"subject": "s1", "time": "2026-01-01T00:00:00Z", "sequence": str(sequence), "data": data}
    return {**known, "datacontenttype": "application/json", **more, **changes}


def publish(author: Sidecar, *events: Event) -> None:
    headers = {**author.headers, "content-type": "application/cloudevents+json"}
    for one in events:
        url = f"{author.url}/v1.0/publish/pubsub/{TOPIC}"
        assert httpx.post(url, headers=headers, content=json.dumps(one), timeout=30).status_code == 204


def eventually(check: Callable[[], object], what: str, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.1)


def test_duplicates_order_and_dead_letters(caller: Caller, author: Sidecar) -> None:
    newer, older = event("n", 12), event("o", 9)
    publish(author, newer, older, newer, event("broken", 13, data={"session_id": "s1"}))
    publish(author, event("unknown", 14, type="omnify.auth.session.renamed.v7"), event("last", 1, subject="s2"))
    eventually(lambda: len(caller.received) >= 4, f"{caller.received}")
    caller.kill()
    caller.listen()
    caller.sidecar.wait_for_app(120)
    publish(author, older, newer, event("after", 13))
    eventually(lambda: "after" in ids(caller), f"{caller.received}")

    assert sorted(ids(caller)) == ["after", "broken", "last", "n", "o"]
    lines = {line["id"]: line for line in caller.received}
    assert lines["broken"] == {"dead_letter": newer["type"], "id": "broken", "source": "auth"}
    came_late = ids(caller).index("o") > ids(caller).index("n")
    latest = {number: line["latest"] for number, line in lines.items() if "event" in line}
    assert latest == {"n": True, "o": not came_late, "after": True, "last": True}
    assert lines["n"]["data"] == newer["data"]


def ids(caller: Caller) -> list[str]:
    return [str(line["id"]) for line in caller.received]


def test_only_its_sidecar_may_deliver(caller: Caller) -> None:
    url = f"http://127.0.0.1:{caller.sidecar.app_port}/events"
    for headers in ({}, {"dapr-api-token": "guessed"}):
        assert httpx.post(url, headers=headers, json=event("forged", 1)).status_code == 401
    token = {"dapr-api-token": caller.sidecar.home.app_api_token}
    answers = [
        httpx.post(url, headers=token, content=text).json() for text in (b"no JSON", b"[]", b'{"id": 1}', b"null")
    ]
    assert answers == [{"status": "DROP"}] * 4
    assert caller.received == []


def test_a_line_that_a_crash_cut_off_is_forgotten(caller: Caller, author: Sidecar) -> None:
    publish(author, event("first", 1))
    eventually(lambda: ids(caller) == ["first"], f"{caller.received}")
    caller.kill()
    with caller.record.open("a") as file:
        file.write('{"event":"omnify.auth.session.rev')
    caller.listen()
    caller.sidecar.wait_for_app(120)
    publish(author, event("second", 2))
    eventually(lambda: ids(caller) == ["first", "second"], f"{caller.received}")
