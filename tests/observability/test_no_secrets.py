"""What leaves the services to be looked at holds no secret, no token and no address."""

import time
from collections.abc import Iterable

import httpx2 as httpx
import pytest

from observability.conftest import Observed
from omnify_local import secrets
from omnify_local.journey import Marketer, token_in

EXPORTED = 3  # seconds: several periods of every exporter


@pytest.fixture(scope="module")
def used(observed: Observed) -> set[str]:
    """Every secret of a journey: what was typed, mailed, issued, and what the platform itself keeps."""
    ada = observed.person()
    ada.register()
    token = token_in(observed.platform.inbox.wait_for(ada.email)[-1])
    ada.verify(token)
    ada.log_in()
    known = {ada.email, ada.password, token, *tokens_of(ada)}
    ada.refresh()
    known |= tokens_of(ada)
    ada.ask("GET", "/api/auth/me", 200)
    ada.ask("GET", "/api/analytics/imports", 200)
    guess = f"wrong {ada.password}"
    assert ada.http.post("/api/auth/login", json={"email": ada.email, "password": guess}).status_code == 401
    ada.http.get(f"/api/auth/me?access_token={ada.tokens['access_token']}&code={ada.tokens['refresh_token']}")
    ada.log_out()
    time.sleep(EXPORTED)
    return known | {guess} | set(platform_secrets(observed))


def tokens_of(marketer: Marketer) -> set[str]:
    return {str(marketer.tokens[name]) for name in ("access_token", "refresh_token")}


def platform_secrets(observed: Observed) -> Iterable[str]:
    for name in ("auth", secrets.TOKENS):
        yield from secrets.read(observed.platform.home.path, name).values()


def test_not_in_spans_or_exported_metrics(observed: Observed, used: set[str]) -> None:
    for kind, file in observed.collector.files.items():
        text = file.read_text()
        assert len(text) > 1000
        assert found(text, used) == [], kind


def test_not_in_logs(observed: Observed, used: set[str]) -> None:
    for log in observed.logs:
        assert found(log.read_text(), used) == [], log.name


def test_not_on_metrics(observed: Observed, used: set[str]) -> None:
    for service in observed.platform.services.values():
        text = observed.metrics(service.name)
        assert "http_server_request_duration_seconds_bucket" in text
        assert found(text, used) == [], service.name
        sidecar = httpx.get(f"http://127.0.0.1:{service.sidecar.ports.metrics}/metrics", timeout=10).text
        assert found(sidecar, used) == [], f"sidecar of {service.name}"


def test_only_the_scrapers_token_opens_the_metrics(observed: Observed) -> None:
    url = observed.platform.services["auth"].url
    scraper = {"authorization": f"Bearer {observed.metrics_token}"}
    assert httpx.get(f"{url}/metrics", headers=scraper).status_code == 200
    assert httpx.get(f"{url}/metrics").status_code == 401
    assert httpx.get(f"{url}/metrics", headers={"authorization": "Bearer guess"}).status_code == 401
    assert httpx.get(f"{url}/openapi.json", headers=scraper).status_code == 401, "it opens nothing else"


def found(text: str, secrets: set[str]) -> list[str]:
    return [f"{secret[:12]}…" for secret in secrets if secret in text]
