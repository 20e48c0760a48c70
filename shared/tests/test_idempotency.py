"""`Idempotency-Key` on real state."""

import asyncio
from typing import Any

import httpx2 as httpx
import pytest

from omnify_shared.ids import new_id
from support.lab import Lab
from support.tokens import Signer, bearer


async def make(lab: Lab, key: str | None, name: str = "a", **headers: str) -> httpx.Response:
    sent = headers if key is None else {"idempotency-key": key} | headers
    return await lab.direct.post("/things", json={"name": name}, headers=sent)


async def test_the_same_key_gets_the_same_answer(lab: Lab) -> None:
    key = new_id()
    first, second = await make(lab, key), await make(lab, key)
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    for name in ("content-type", "location"):
        assert first.headers[name] == second.headers[name]
    assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (False, "true")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_without_a_key_every_request_is_its_own(lab: Lab) -> None:
    assert (await make(lab, None)).json() != (await make(lab, None)).json()


async def test_another_body_or_query_is_refused(lab: Lab) -> None:
    key = new_id()
    await make(lab, key)
    body = await make(lab, key, name="b")
    query = await lab.direct.post("/things?x=1", json={"name": "a"}, headers={"idempotency-key": key})
    for answer in (body, query):
        assert (answer.status_code, answer.json()["type"]) == (
            422,
            "https://omnify.dev/problems/idempotency-key-reused",
        )


async def test_of_many_at_once_one_is_made(lab: Lab) -> None:
    key, before = new_id(), lab.bench.made
    answers = await asyncio.gather(*(make(lab, key) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert lab.bench.made == before + 1


async def test_a_request_still_running_is_not_repeated(lab: Lab) -> None:
    key, before = new_id(), lab.bench.made
    lab.bench.gate.clear()
    first = asyncio.create_task(make(lab, key, name="wait"))
    async with asyncio.timeout(30):
        while lab.bench.made == before:
            await asyncio.sleep(0.01)
    answer = await make(lab, key, name="wait")
    assert answer.status_code == 409
    assert answer.json()["type"] == "https://omnify.dev/problems/request-still-running"
    lab.bench.gate.set()
    assert (await first).status_code == 201
    assert (await make(lab, key, name="wait")).content == (await first).content


async def test_a_request_that_died_can_be_made_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.platform.idempotency, "_lease", 0.2)
    key, before = new_id(), lab.bench.made
    lab.bench.gate.clear()
    first = asyncio.create_task(make(lab, key, name="wait"))
    async with asyncio.timeout(30):
        while lab.bench.made == before:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    lab.bench.gate.set()
    assert (await make(lab, key, name="wait")).status_code == 201
    await first


@pytest.mark.parametrize(("name", "status", "kept"), [("taken", 409, True), ("busy", 429, False), ("down", 503, False)])
async def test_which_refusals_are_kept(lab: Lab, name: str, status: int, kept: bool) -> None:
    key, before = new_id(), lab.bench.made
    first, second = await make(lab, key, name=name), await make(lab, key, name=name)
    assert (first.status_code, second.status_code) == (status, status)
    assert lab.bench.made == before + (1 if kept else 2)
    assert second.headers["content-type"] == "application/problem+json"


async def test_a_defect_is_not_kept(lab: Lab) -> None:
    key, before = new_id(), lab.bench.made
    assert [(await make(lab, key, name="crash")).status_code for _ in range(2)] == [500, 500]
    assert lab.bench.made == before + 2


async def test_a_payload_that_was_wrong_may_be_corrected_under_its_key(lab: Lab) -> None:
    key = new_id()
    assert (await make(lab, key, name="")).status_code == 422
    assert (await make(lab, key, name="right")).status_code == 201


async def test_callers_do_not_share_keys(lab: Lab, signer: Signer) -> None:
    key = new_id()
    callers = [
        {},
        bearer(signer.token()),
        bearer(signer.token(sub="user-2")),
        bearer(signer.token(org="org-2")),
    ]
    numbers = [(await make(lab, key, **headers)).json()["number"] for headers in callers]
    assert len(set(numbers)) == len(callers)
    again = await make(lab, key, **bearer(signer.token()))
    assert again.json()["number"] == numbers[1], "another token of the same user"
    assert (await make(lab, key, authorization="Bearer forged")).status_code == 401


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"\xff", b" ", b"tab\tinside", b"$ne", b"a||b", b"../../x"])
async def test_odd_keys(lab: Lab, key: bytes) -> None:
    headers: Any = [(b"idempotency-key", key.strip())]
    answer = await lab.direct.post("/things", json={"name": "a"}, headers=headers)
    assert answer.status_code == (201 if 0 < len(key.strip()) <= 255 else 400)
