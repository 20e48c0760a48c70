"""What people and programs send by mistake or on purpose, through the front door, on each component set."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import pytest

from omnify_local.journey import Marketer
from omnify_shared.testing import Platform

GOOD = {
    "email": "someone@example.com",
    "password": "a long enough phrase",
    "full_name": "Some One",
    "organization_name": "Org",
}
COLUMNS = {"customer_id": "who", "ordered_at": "when", "amount": "paid"}
OPTIONS = {"delimiter": ",", "has_header": True, "date_format": "%Y-%m-%d", "currency": "EUR", "columns": COLUMNS}

NewMarketer = Callable[..., Marketer]
pytestmark = pytest.mark.guarantee("journeys")


@pytest.fixture(scope="module")
def marketer(platform: Platform, new_marketer: NewMarketer) -> Marketer:
    return new_marketer().join(platform.inbox)


def assert_problem(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() >= {"type", "title", "status", "detail"}
    return problem


@pytest.mark.parametrize("text", ["$abc", "$5.00", '{"$concat": ["a", "b"]}', "$$NOW", "Zoë 😀"])
def test_names_come_back_byte_equal(platform: Platform, text: str, new_marketer: NewMarketer) -> None:
    marketer = new_marketer(full_name=text, organization=text)
    marketer.join(platform.inbox)
    assert marketer.tokens["user"]["full_name"] == text
    assert marketer.ask("GET", "/api/auth/me", 200)["full_name"] == text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"email": 5}, "email"),
        ({"email": "not an address"}, "email"),
        ({"full_name": None}, "full_name"),
        ({"password": ["x"]}, "password"),
        ({"organization_name": "x" * 5000}, "organization_name"),
        ({"full_name": "\ud800"}, "full_name"),
    ],
)
def test_a_wrong_field_is_named(platform: Platform, change: dict[str, Any], field: str) -> None:
    answer = httpx.post(
        f"{platform.url}/api/auth/register",
        content=json.dumps(GOOD | change),
        headers={"content-type": "application/json"},
    )
    problem = assert_problem(answer, 422)
    assert field in answer.text or "surrogate" in problem["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"null", b'{"email": "\xff\xfe"}', b'{"a":' * 5000, b"\x00" * 100]
)
def test_a_broken_body_is_a_problem(platform: Platform, body: bytes) -> None:
    for path in ("/api/auth/register", "/api/auth/login", "/api/auth/refresh", "/api/auth/verify-email"):
        answer = httpx.post(platform.url + path, content=body, headers={"content-type": "application/json"})
        assert_problem(answer, 400, 422)


def test_an_oversized_body_is_refused(platform: Platform) -> None:
    answer = httpx.post(f"{platform.url}/api/auth/login", json={"email": "a@example.com", "password": "x" * 2_000_000})
    assert_problem(answer, 413)


def test_an_oversized_upload_is_refused_without_taking_it_all(platform: Platform, marketer: Marketer) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="options"\r\n\r\n' + json.dumps(OPTIONS).encode()
        yield b'\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\nwho,when,paid\n'
        for _ in range(200):
            sent += 1
            yield b"c,2024-01-01,1.00\n" * 58_254

    headers = {
        "Authorization": f"Bearer {marketer.tokens['access_token']}",
        "Content-Type": "multipart/form-data; boundary=b",
    }
    try:
        answer = httpx.post(f"{platform.url}/api/analytics/imports/orders", content=body(), headers=headers, timeout=60)
    except httpx.TransportError:
        assert sent < 200, "the connection was closed before all of it was sent"
        return
    assert_problem(answer, 413)


def test_a_file_larger_than_a_sidecar_message_is_imported(
    platform: Platform, marketer: Marketer, new_marketer: NewMarketer
) -> None:
    lines = [
        f"customer-{number % 5000},2023-0{1 + number % 9}-1{number % 9},12.50,{'p' * 30}" for number in range(120_000)
    ]
    file = "who,when,paid,padding\n" + "\n".join(lines)
    assert len(file) > 6 * 2**20
    owner = new_marketer().join(platform.inbox)
    status = owner.wait_for_import(owner.start_import(file.encode(), OPTIONS), 120)
    assert (status["status"], status["rows_accepted"]) == ("completed", 120_000)
    assert owner.overview("2023-01-01", "2023-12-31")["revenue"] == "1500000.00"


def test_bad_lines_are_rejected_with_their_reasons(platform: Platform, new_marketer: NewMarketer) -> None:
    owner = new_marketer().join(platform.inbox)
    file = (
        "who,when,paid\na,2024-01-01,10.00\nb,2024-13-01,1.00\nc,2024-01-02,-5.00\nd,2024-01-03,$5.00\ne,2024-01-04\n"
    )
    status = owner.wait_for_import(owner.start_import(file.encode(), OPTIONS))
    assert (status["rows_read"], status["rows_accepted"], status["rows_rejected"]) == (5, 1, 4)
    assert [rejection["line"] for rejection in status["rejections"]] == [3, 4, 5, 6]
    assert all(rejection["reason"] for rejection in status["rejections"])
    assert owner.overview("2024-01-01", "2024-01-31")["revenue"] == "10.00"


@pytest.mark.parametrize(
    ("file", "options"),
    [
        (b"", OPTIONS),
        (b"a,b\n1,2\n", OPTIONS),
        (b"who,when,paid\n\xff\xfe,2024-01-01,1.00\n", OPTIONS),
        (b"who,when,paid\na,2024-01-01,1.00\n", OPTIONS | {"delimiter": "#"}),
        (b"who,when,paid\na,2024-01-01,1.00\n", OPTIONS | {"currency": "euros"}),
        (b"who,when,paid\na,2024-01-01,1.00\n", OPTIONS | {"surprise": 1}),
    ],
)
def test_a_useless_file_stores_nothing(
    platform: Platform, file: bytes, options: dict[str, Any], new_marketer: NewMarketer
) -> None:
    owner = new_marketer().join(platform.inbox)
    answer = owner.http.post(
        "/api/analytics/imports/orders",
        files={"file": ("x.csv", file, "text/csv")},
        data={"options": json.dumps(options)},
        headers={"Authorization": f"Bearer {owner.tokens['access_token']}"},
    )
    if answer.status_code == 202:
        status = owner.wait_for_import(answer.json()["import_id"])
        assert status["status"] == "failed" or status["rows_accepted"] == 0
    else:
        assert_problem(answer, 400, 413, 415, 422)
    assert owner.overview("2024-01-01", "2024-01-31")["orders"] == 0


@pytest.mark.parametrize("path", ["/api/nothing", "/internal/users/x/contact", "/dead-letters", "/events/auth-events"])
def test_what_is_not_public_is_not_there(platform: Platform, path: str) -> None:
    assert_problem(httpx.get(platform.url + path), 401, 404)


def test_nobody_says_where_they_sign_in_from(marketer: Marketer) -> None:
    lies = {"x-forwarded-for": "203.0.113.7", "forwarded": "for=203.0.113.7", "x-real-ip": "203.0.113.7"}
    body = {"email": marketer.email, "password": marketer.password}
    signed_in = marketer.http.post("/api/auth/login", json=body, headers=lies).raise_for_status().json()
    listed = {one["session_id"]: one for one in marketer.ask("GET", "/api/sessions", 200)["sessions"]}
    assert listed[signed_in["session_id"]]["network"] == "127.0.0.0/24", "as the gateway saw it"


def test_bad_requests_close_no_service(platform: Platform) -> None:
    """What a stranger sends in a loop on a quiet platform: none of the answers is that the service is not there."""
    with httpx.Client(base_url=platform.url, timeout=30) as client:
        answers = [client.post("/api/auth/verify-email", json={"token": "x"}) for _ in range(150)]
        assert {answer.status_code for answer in answers} == {400}
        assert client.get("/api/legal/terms").status_code == 200


def test_a_wrong_method_is_told_the_right_ones(platform: Platform) -> None:
    for path, methods in (("/api/sessions/policy", "GET, PUT"), ("/api/auth/login", "POST")):
        answer = httpx.delete(f"{platform.url}{path}")
        assert_problem(answer, 405)
        assert answer.headers["allow"] == methods
