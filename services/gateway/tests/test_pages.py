import re
from pathlib import Path

import httpx2 as httpx
import pytest

PAGES = ["/", "/docs", "/verify-email", "/reset-password", "/confirm-email", "/accept-invitation", "/recover-factors"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_only_the_gateways_own_scripts(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|style=|javascript:", answer.text)
    assert '<html lang="en">' in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_all_that_a_page_loads_comes_from_the_gateway(client: httpx.Client, path: str) -> None:
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', client.get(path).text)
    for address in loaded:
        if address != "data:,":
            assert address.startswith("/assets/")
            assert client.get(address).status_code == 200
    assert client.get("/assets/..%2fapp.py").status_code in {400, 404}
    assert client.get("/assets/none.js").status_code == 404


@pytest.mark.parametrize(
    "name", ["verify-email", "reset-password", "confirm-email", "accept-invitation", "recover-factors"]
)
def test_the_token_is_taken_from_the_fragment_and_leaves_the_history_at_once(name: str) -> None:
    script = (Path(__file__).parents[1] / f"omnify_gateway/static/{name}.js").read_text()
    assert script.index("location.hash") < script.index("history.replaceState") < script.index("fetch(")
    assert "innerHTML" not in script
