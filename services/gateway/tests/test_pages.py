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


LINKED = ["verify-email", "reset-password", "confirm-email", "accept-invitation", "recover-factors"]
STATIC = Path(__file__).parents[1] / "omnify_gateway/static"


def test_the_token_is_taken_from_the_fragment_and_leaves_the_history_at_once() -> None:
    script = (STATIC / "link.js").read_text()
    assert script.index("location.hash") < script.index("history.replaceState") < script.index("fetch(")


@pytest.mark.parametrize("name", LINKED)
def test_nothing_else_reads_the_fragment_or_writes_markup(name: str) -> None:
    assert 'type="module"' in (STATIC / f"{name}.html").read_text()
    script = (STATIC / f"{name}.js").read_text()
    assert re.search(r'from "\./(link|confirmation)\.js"', script)
    assert not re.search(r"location|fetch\(|innerHTML", script)


def test_all_that_scripts_import_is_served(client: httpx.Client) -> None:
    imported = {
        found for script in STATIC.glob("*.js") for found in re.findall(r'from "\./([^"]+)"', script.read_text())
    }
    assert imported == {"link.js", "confirmation.js"}
    for name in imported:
        assert client.get(f"/assets/{name}").headers["content-type"].startswith("text/javascript")
