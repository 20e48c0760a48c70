"""Services, sidecars and the monolith: there, gone, and back."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from omnify_local.ports import answers, free_port
from omnify_local.processes import Process
from omnify_shared.testing.service import Service

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def stage(new_stage: Callable[[], Any]) -> Any:
    stage = new_stage()
    port = free_port()
    command = [sys.executable, str(HERE / "monolith.py"), str(port)]
    monolith = Process("monolith", command, log=stage.home.logs / "monolith.log")
    stage.stack.callback(monolith.terminate)
    monolith.wait_until(lambda: answers(port), timeout=20)
    endpoint = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "HTTPEndpoint",
        "metadata": {"name": "monolith"},
        "scopes": ["gateway"],
        "spec": {"baseUrl": f"http://127.0.0.1:{port}"},
    }
    (stage.home.components / "monolith.yaml").write_text(yaml.safe_dump(endpoint))
    return stage


@pytest.fixture(scope="module")
def auth(stage: Any) -> Any:
    return stage.stand_in("auth")


@pytest.fixture(scope="module")
def gateway(stage: Any, auth: Any) -> Any:
    settings = {
        "GATEWAY_CORS_ORIGINS": '["https://app.example"]',
        "GATEWAY_TRUSTED_HOPS": "1",
        "OMNIFY_PUBLIC_URL": "https://omnify.example",
    }
    return stage.gateway(**settings)


def slug(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[1]


def test_unknown_paths_go_to_the_declared_monolith(client: httpx.Client) -> None:
    answer = client.get("/legacy/report?x=1")
    assert (answer.status_code, answer.text) == (200, "<p>old /legacy/report?x=1</p>")
    assert client.get("/api/old/thing").text == "<p>gone</p>"
    assert client.post("/legacy/form", content=b"abc").text == "cba"
    assert client.get("/legacy/plain-error").status_code == 403
    assert "content-security-policy" not in answer.headers


def test_the_monolith_gets_its_own_cookies_and_not_that_of_a_signed_in_browser(client: httpx.Client) -> None:
    given = "old=1; __Host-omnify=secret; __Host-omnifying=2"
    assert client.get("/legacy/cookie", headers={"cookie": given}).text == "old=1; __Host-omnifying=2"


def test_a_path_of_the_sidecars_api_is_the_monoliths_and_not_the_sidecars(client: httpx.Client) -> None:
    assert client.get("/v1.0/metadata").text == "<p>old /v1.0/metadata</p>"


def test_a_known_prefix_never_falls_through_to_the_monolith(client: httpx.Client) -> None:
    assert slug(client.get("/api/files/x")) == (503, "service-unavailable")


def test_a_configured_origin_may_call(client: httpx.Client) -> None:
    origin = {"origin": "https://app.example"}
    preflight = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    answer = client.options("/api/auth/x", headers=preflight)
    assert answer.status_code == 200
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert client.get("/api/auth/x", headers=origin).headers["access-control-allow-origin"] == "https://app.example"
    other = client.get("/api/auth/x", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_behind_a_trusted_proxy_its_entries_count(client: httpx.Client) -> None:
    sent = {"x-forwarded-for": "6.6.6.6, 203.0.113.9", "x-forwarded-proto": "https"}
    answer = client.get("/api/auth/x", headers=sent)
    values = dict(reversed(answer.json()["headers"]))
    assert (values["x-forwarded-for"], values["x-forwarded-proto"]) == ("203.0.113.9", "https")
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def test_a_sidecar_that_is_gone_is_a_503_and_its_return_is_noticed(client: httpx.Client, gateway: Service) -> None:
    assert client.get("/api/auth/x").status_code == 200
    gateway.sidecar.kill()
    assert slug(client.get("/api/auth/x"))[0] in {502, 503}
    assert slug(client.get("/api/auth/x")) == (503, "service-unavailable")
    assert client.get("/health/live").status_code == 200
    gateway.sidecar.start()
    deadline = time.monotonic() + 60
    while client.get("/api/auth/x").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_service_that_dies_in_the_middle_is_a_502_and_then_a_503(client: httpx.Client, auth: Service) -> None:
    assert slug(client.get("/api/auth/die"))[0] in {502, 503}
    assert slug(client.get("/api/auth/x")) == (503, "service-unavailable")
    merged = client.get("/openapi.json").json()
    assert "auth" in merged["x-omnify-unavailable"]
