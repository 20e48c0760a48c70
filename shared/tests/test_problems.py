"""Errors are RFC 9457 problems, whatever goes wrong, and broken bodies are the caller's error, never a 500."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = {"content-type": "application/json"}


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"https://omnify.dev/problems/{slug}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


async def test_an_unknown_path(alone: httpx.AsyncClient) -> None:
    problem(await alone.get("/nowhere"), 404, "not-found")


async def test_a_wrong_method_names_the_right_one(alone: httpx.AsyncClient) -> None:
    answer = await alone.put("/echo", json={})
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_defect_tells_nothing_of_itself(alone: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]) -> None:
    answer = await alone.get("/crash")
    problem(answer, 500, "internal-error")
    for inner in ("RuntimeError", "hunter2", "10.1.2.3", "Traceback", "lab.py"):
        assert inner not in answer.text


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "name", "Field required"),
        ({"name": ""}, "name", "at least 1 character"),
        ({"name": 5}, "name", "valid string"),
        ({"name": "a", "amount": "much"}, "amount", "valid number"),
        ({"name": "a", "tags": ["x", 1]}, "tags.1", "valid string"),
        ({"name": "a", "extra": 1}, "extra", "not permitted"),
        ([], "body", "object"),
        (None, "body", "Field required"),
        ("name", "body", "object"),
    ],
)
async def test_a_wrong_body_says_what_and_where(alone: httpx.AsyncClient, body: Any, field: str, reason: str) -> None:
    document = problem(await alone.post("/echo", json=body), 422, "invalid-payload")
    (error,) = document["errors"]
    assert (error["in"], error["field"]) == ("body", field)
    assert reason in error["reason"]
    assert field in document["detail"]


async def test_a_wrong_path_and_query_say_what_and_where(alone: httpx.AsyncClient) -> None:
    document = problem(await alone.get("/items/x?limit=many"), 422, "invalid-payload")
    assert [(error["in"], error["field"]) for error in document["errors"]] == [("path", "item_id"), ("query", "limit")]


async def test_a_wrong_value_is_not_echoed(alone: httpx.AsyncClient) -> None:
    answer = await alone.post("/echo", json={"name": {"password": "hunter2"}})
    problem(answer, 422, "invalid-payload")
    assert "hunter2" not in answer.text


async def test_many_or_long_wrong_names_make_a_short_answer(alone: httpx.AsyncClient) -> None:
    many = {"name": "a"} | {f"field{number}": 1 for number in range(20_000)}
    answer = await alone.post("/echo", json=many)
    problem(answer, 422, "invalid-payload")
    assert len(answer.content) < 20_000
    answer = await alone.post("/echo", json={"name": "a", "x" * 100_000: 1})
    problem(answer, 422, "invalid-payload")
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"name": "\xff"}',
        b"\xff\xfe{\x00",
        b'\xef\xbb\xbf{"name": "bom"}',
        b'{"name": "\\ud800"}',
        b'{"\\ud800": 1, "name": "a"}',
        b'{"name": "a", "anything": "\\udfff"}',
        b'{"name": "a", "anything": {"\\ud800": ["\\udc00"]}}',
        b'{"name": "a", "amount": NaN}',
        b'{"name": "a", "amount": -Infinity, "anything": NaN}',
        b'{"name": "a", "amount": 1e999}',
        b'{"name": "a", "anything": ' + b"9" * 5000 + b"}",
        b'{"name": "a", "name": "b", "name": "c"}',
        b'{"name": "a", "anything": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"name": "a", "anything": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"name": "a", "anything": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        b'{"name": "\\u0000"}',
        b"null",
        b"[" * 200_000,
        b'"' + b"\\ud83d" * 1000 + b'"',
    ],
)
async def test_a_broken_body_is_never_a_defect(alone: httpx.AsyncClient, body: bytes) -> None:
    answer = await alone.post("/echo", content=body, headers=JSON)
    assert answer.status_code in (200, 400, 413, 422), answer.text
    if answer.status_code == 200:
        json.loads(answer.content, parse_constant=_no_constants)
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        json.loads(answer.content)


def _no_constants(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "/",
    ],
)
async def test_a_wrong_content_type_is_never_a_defect(alone: httpx.AsyncClient, content_type: str) -> None:
    answer = await alone.post("/echo", content=b'{"name": "a"}', headers={"content-type": content_type})
    assert answer.status_code in (200, 400, 415, 422)


@given(body=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: json.dumps({"name": text}).encode()))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_bytes_make_a_defect(alone: httpx.AsyncClient, body: bytes) -> None:
    answer = await alone.post("/echo", content=body, headers=JSON)
    assert answer.status_code in (200, 400, 422), answer.text
