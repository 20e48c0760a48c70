"""The outermost layer: ids, app token, body limits."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest
from pydantic import SecretStr

from omnify_local.ports import free_port
from support.lab import Lab, LabSettings, PublicLabSettings, create_app, serving

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MALFORMED = [
    "",
    "garbage",
    "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
    "1234567890",
]


async def test_ids_are_passed_through(alone: httpx.AsyncClient) -> None:
    answer = await alone.get("/ids", headers={"x-request-id": "order-17", "traceparent": TRACE})
    assert answer.json() == {"request_id": "order-17", "traceparent": TRACE}
    assert answer.headers["x-request-id"] == "order-17"


@pytest.mark.parametrize("given", MALFORMED)
async def test_a_malformed_trace_parent_is_replaced(alone: httpx.AsyncClient, given: str) -> None:
    found = (await alone.get("/ids", headers={"traceparent": given})).json()["traceparent"]
    assert found != given
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", found)


JWT = "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "tab\there", b"caf\xe9", b"caf\xc3\xa9", JWT, "ada@example.com", "a b", "token=abc"]
)
async def test_a_malformed_request_id_is_replaced(alone: httpx.AsyncClient, given: str | bytes) -> None:
    answer = await alone.get("/ids", headers={b"x-request-id": given.encode() if isinstance(given, str) else given})
    found = answer.headers["x-request-id"]
    assert len(found) == 36, "it would stand in every log line: no address, no token, nothing long"
    assert answer.json()["request_id"] == found


async def test_ids_reach_a_peer_through_two_hops(lab: Lab) -> None:
    answer = await lab.through.get("/via-peer", headers={"x-request-id": "order-18", "traceparent": TRACE})
    assert answer.json()["request_id"] == "order-18"
    assert answer.json()["traceparent"].split("-")[1] == TRACE.split("-")[1]


@pytest.mark.parametrize("path", ["/ids", "/health/live", "/nowhere", "/crash", "/me"])
async def test_every_answer_carries_its_request_id(alone: httpx.AsyncClient, path: str) -> None:
    answer = await alone.get(path, headers={"x-request-id": "order-19"})
    assert answer.headers["x-request-id"] == "order-19"
    if answer.status_code >= 400:
        assert answer.json()["request_id"] == "order-19"


@pytest.fixture(scope="module")
async def guarded() -> AsyncIterator[httpx.AsyncClient]:
    settings = LabSettings(environment="test", app_api_token=SecretStr("app-token"), dapr_http_port=free_port())
    async with serving(create_app(settings), free_port()) as client:
        yield client


@pytest.mark.parametrize("token", [None, "", "guess", "app-toke", "app-tokenn", b"app-token\xe9"])
@pytest.mark.parametrize("path", ["/ids", "/metrics", "/dapr/subscribe", "/dead-letters", "/health/", "/openapi.json"])
async def test_only_the_sidecar_gets_in(guarded: httpx.AsyncClient, path: str, token: Any) -> None:
    headers = {} if token is None else {b"dapr-api-token": token.encode() if isinstance(token, str) else token}
    answer = await guarded.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "https://omnify.dev/problems/not-from-sidecar"


async def test_the_sidecar_and_the_probes_get_in(guarded: httpx.AsyncClient) -> None:
    assert (await guarded.get("/ids", headers={"dapr-api-token": "app-token"})).status_code == 200
    assert [(await guarded.get(f"/health{end}")).status_code for end in ("", "/live", "/ready")] == [200, 200, 503]


async def test_a_public_app_guards_only_its_inner_paths() -> None:
    settings = PublicLabSettings(environment="test", app_api_token=SecretStr("app-token"), dapr_http_port=free_port())
    async with serving(create_app(settings), free_port()) as client:
        assert (await client.get("/ids")).status_code == 200
        inner = ["/metrics", "/dapr/subscribe", "/events/auth-events", "/dead-letters", "/internal/mail"]
        assert [(await client.get(path)).status_code for path in inner] == [401] * len(inner)


async def pieces(total: int, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, total, size):
        yield b"x" * min(size, total - start)


LIMIT = 1_048_576


@pytest.mark.parametrize(("path", "limit"), [("/length", LIMIT), ("/big", 4_000_000)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_up_to_the_limit_and_not_above(
    alone: httpx.AsyncClient, path: str, limit: int, chunked: bool
) -> None:
    for size, status in ((limit, 200), (limit + 1, 413)):
        answer = await alone.post(path, content=pieces(size) if chunked else b"x" * size)
        assert answer.status_code == status
        if status == 200:
            assert answer.json() == size
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"] == "https://omnify.dev/problems/payload-too-large"
            assert answer.json()["limit_bytes"] == limit


async def test_a_json_body_in_chunks_is_limited_too(alone: httpx.AsyncClient) -> None:
    answer = await alone.post("/echo", content=pieces(LIMIT + 1), headers={"content-type": "application/json"})
    assert answer.status_code == 413
