"""What crosses the gateway, seen from both ends of two real sidecars."""

import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

Raw = Callable[[bytes], tuple[int, bytes]]
UPLOAD = os.urandom(20 * 1000 * 1000)


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"https://omnify.dev/problems/{slug}"
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    return dict(document)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_request_reaches_its_service_as_it_was_sent(client: httpx.Client, method: str) -> None:
    answer = client.request(method, "/api/auth/a%20b/c?x=%2F&y=1", content=b"" if method == "GET" else b"hello")
    seen = answer.json()
    assert (seen["service"], seen["method"], seen["path"]) == ("auth", method, "/api/auth/a%20b/c")
    assert seen["query"] == "x=%2F&y=1"
    assert seen["body"] == ("" if method == "GET" else "hello")


def test_head_has_the_head_alone(client: httpx.Client) -> None:
    first, second = client.head("/api/auth/x"), client.get("/api/auth/x")
    assert first.status_code == 200
    assert first.content == b""
    assert second.json()["method"] == "GET"


def test_the_caller_cannot_speak_for_the_platform(client: httpx.Client, services: Any) -> None:
    forged = {
        "dapr-caller-app-id": "email",
        "dapr-app-id": "analytics",
        "dapr-api-token": "guess",
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "forwarded": "for=6.6.6.6",
        "x-real-ip": "6.6.6.6",
        "authorization": "Bearer mine",
        "cookie": "a=b",
    }
    seen = client.get("/api/auth/x", headers=forged).json()
    assert seen["service"] == "auth"
    names = Counter(name for name, _ in seen["headers"])
    values = dict(reversed(seen["headers"]))
    assert names["dapr-caller-app-id"] == 1
    assert values["dapr-caller-app-id"] == "gateway"
    assert values["dapr-api-token"] == services.home.app_api_token
    assert values["x-forwarded-for"] == "127.0.0.1"
    assert values["x-forwarded-proto"] == "http"
    assert values["authorization"] == "Bearer mine"
    assert "cookie" not in values, "an API takes tokens"
    assert not any("6.6.6.6" in value or "evil" in value for _, value in seen["headers"])
    assert "x-real-ip" not in names


@pytest.mark.parametrize("path", ["/oauth/authorize", "/oauth/authorize/sign-in", "/oauth/logout"])
def test_a_browsers_cookie_reaches_the_pages_and_nothing_else(client: httpx.Client, path: str) -> None:
    headers = {"cookie": "__Host-omnify=secret"}
    assert ["cookie", "__Host-omnify=secret"] in client.get(path, headers=headers).json()["headers"]
    for other in ("/oauth/token", "/oauth/userinfo", "/api/auth/me", "/api/analytics/x"):
        names = {name for name, _ in client.get(other, headers=headers).json()["headers"]}
        assert "cookie" not in names, other


def test_hop_by_hop_headers_stay_on_their_hop(client: httpx.Client) -> None:
    sent = {"connection": "x-mine", "x-mine": "1", "te": "trailers", "proxy-authorization": "Basic x", "x-other": "2"}
    names = {name for name, _ in client.get("/api/auth/x", headers=sent).json()["headers"]}
    assert "x-other" in names
    assert names.isdisjoint({"x-mine", "te", "proxy-authorization"})


def test_a_services_headers_reach_the_caller_except_where_the_gateway_has_the_word(client: httpx.Client) -> None:
    answer = client.get("/api/auth/headers", headers={"x-request-id": "mine-1"})
    assert answer.headers["x-public"] == "2"
    assert answer.headers["set-cookie"] == "a=b; HttpOnly"
    assert answer.headers["cache-control"] == "private, max-age=5"
    assert answer.headers.get_list("x-frame-options") == ["DENY"]
    assert answer.headers.get_list("x-request-id") == ["mine-1"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_ids_of_the_request_travel_along(client: httpx.Client) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = client.get("/api/auth/x", headers={"x-request-id": "abc-1", "traceparent": trace})
    values = dict(answer.json()["headers"])
    assert values["x-request-id"] == answer.headers["x-request-id"] == "abc-1"
    assert values["traceparent"].split("-")[1] == trace.split("-")[1]
    assert client.get("/api/auth/x", headers={"x-request-id": "a b"}).headers["x-request-id"] != "a b"


@pytest.mark.parametrize(
    "path",
    [
        "/api/auth/../internal",
        "/api/auth/..%2finternal",
        "/api/auth/%2e%2e/%2e%2e/internal",
        "/api/auth/%252e%252e/%252e%252e/internal",
        "/api/auth/..;/internal",
        "/api/auth//../internal",
        "//internal",
        "/api/auth/..\\internal",
        "/api/auth/%c0%ae%c0%ae/internal",
        "http://auth/internal",
    ],
)
def test_no_spelling_of_a_path_leads_out_of_its_prefix(raw: Raw, path: str) -> None:
    status, answer = raw(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert status in {400, 404}, answer
    assert b'"service"' not in answer


@pytest.mark.parametrize(
    "path", ["/internal/x", "/health/../internal", "/dapr/subscribe", "/dapr/config", "/v1.0/metadata"]
)
def test_paths_of_the_inside_are_not_served(raw: Raw, path: str) -> None:
    status, answer = raw(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert status in {400, 401, 404}, answer


def test_two_framings_of_one_request_are_refused(raw: Raw) -> None:
    head = b"POST /api/auth/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    smuggled = b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /api/auth/y HTTP/1.1\r\n\r\n"
    assert raw(head + smuggled)[0] == 400


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_of_20_mb_arrives_whole(client: httpx.Client, chunked: bool) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(UPLOAD), 100_000):
            yield UPLOAD[start : start + 100_000]

    answer = client.post("/api/analytics/imports/upload", content=pieces() if chunked else UPLOAD)
    assert answer.json()["size"] == len(UPLOAD)
    assert answer.json()["sha256"] == hashlib.sha256(UPLOAD).hexdigest()


@pytest.mark.parametrize(
    ("path", "size"), [("/api/auth/upload", 1024 * 1024), ("/api/analytics/imports/upload", 64 * 1024 * 1024)]
)
def test_a_body_above_the_limit_is_refused_by_its_length_before_it_is_read(raw: Raw, path: str, size: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {size + 1}\r\n\r\n"
    status, answer = raw(head.encode())
    assert status == 413
    assert b"payload-too-large" in answer


def test_a_chunked_body_is_cut_off_at_the_limit(client: httpx.Client) -> None:
    answer = client.post("/api/auth/upload", content=iter([b"x" * 65536] * 17))
    assert problem(answer, 413, "payload-too-large")["limit"] == 1024 * 1024
    assert client.post("/api/auth/upload", content=iter([b"x" * 65536] * 16)).json()["size"] == 1024 * 1024


def test_headers_above_what_a_sidecar_takes_are_refused(client: httpx.Client) -> None:
    assert client.get("/api/auth/x", headers={"x-big": "a" * 6500}).status_code == 200
    problem(client.get("/api/auth/x", headers={"x-big": "a" * 9000}), 431, "headers-too-large")


def test_an_answer_is_passed_on_while_it_is_being_made(client: httpx.Client) -> None:
    started, arrived = time.monotonic(), []
    with client.stream("GET", "/api/auth/ticks?count=3&pause=0.4") as answer:
        for line in answer.iter_lines():
            if line:
                arrived.append((line, time.monotonic() - started))
    assert [line for line, _ in arrived] == ["data: 0", "data: 1", "data: 2"]
    assert arrived[2][1] - arrived[0][1] > 0.4, "they come as they are made, not together at the end"


def test_a_large_answer_arrives_whole(client: httpx.Client) -> None:
    with client.stream("GET", "/api/auth/bytes?size=30000000") as answer:
        assert sum(len(piece) for piece in answer.iter_raw()) == 30_000_000


def test_a_caller_who_leaves_ends_the_exchange(client: httpx.Client) -> None:
    for _ in range(5):
        with client.stream("GET", "/api/auth/ticks?count=50&pause=0.1") as answer:
            next(answer.iter_lines())
    assert client.get("/api/auth/x").status_code == 200


def test_silence_inside_an_answer_breaks_it_off(client: httpx.Client) -> None:
    with (
        pytest.raises(httpx.RemoteProtocolError),
        client.stream("GET", "/api/auth/ticks?count=2&pause=5") as answer,
    ):
        answer.read()


def test_an_upload_that_stops_coming_is_a_408(raw: Raw) -> None:
    head = b"POST /api/auth/upload HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n12345"
    assert raw(head)[0] == 408


def test_a_service_that_takes_too_long_is_a_504(client: httpx.Client) -> None:
    problem(client.get("/api/auth/slow?seconds=20"), 504, "gateway-timeout")


@pytest.mark.parametrize("code", [400, 401, 404, 409, 422, 429, 500])
def test_a_services_own_problem_passes_unchanged(client: httpx.Client, code: int) -> None:
    answer = client.get(f"/api/auth/status/{code}")
    assert (answer.status_code, answer.json()) == (code, {"status": code})


def test_an_answer_without_a_body(client: httpx.Client) -> None:
    answer = client.get("/api/auth/empty")
    assert (answer.status_code, answer.content) == (204, b"")


def test_keys_are_public_and_may_be_cached(client: httpx.Client) -> None:
    answer = client.get("/.well-known/jwks.json")
    assert answer.json() == {"keys": []}
    assert answer.headers["cache-control"] == "public, max-age=300"


def test_unknown_paths_and_methods_are_problems(client: httpx.Client) -> None:
    problem(client.get("/nothing/here"), 404, "unknown-path")
    problem(client.get("/api/unknown"), 404, "unknown-path")
    problem(client.request("TRACE", "/api/auth/x"), 405, "method-not-allowed")


def test_no_origin_is_allowed_unless_configured(client: httpx.Client) -> None:
    answer = client.get("/api/auth/x", headers={"origin": "https://app.example"})
    assert "access-control-allow-origin" not in answer.headers
