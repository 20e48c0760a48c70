"""The apps of docs/sign-in-with-omnify.md, as they stand there: a person signs in to them in a real browser."""

import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx
import pyotp
import pytest
from playwright.async_api import Page, expect

from omnify_local import nodejs, paths
from omnify_local.journey import Marketer
from omnify_local.ports import LOOPBACK, free_port
from omnify_local.processes import Process
from omnify_shared.testing import Platform
from support.person import Person

pytestmark = pytest.mark.guarantee("journeys")
GUIDE = paths.repository() / "docs" / "sign-in-with-omnify.md"
NODE = paths.repository() / "tests" / "polyglot" / "node"
NewMarketer = Callable[..., Marketer]


def code(language: str) -> str:
    """The guide's app in a language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


class App:
    """A guide's app in a process of its own, registered with the organisation of `owner`."""

    def __init__(self, language: str, platform: Platform, owner: Marketer, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        wanted = {
            "name": "Planner",
            "redirect_uris": [f"{self.url}/back"],
            "post_logout_redirect_uris": [f"{self.url}/"],
        }
        self.client = owner.ask("POST", "/api/oauth/clients", 201, json=wanted)
        environment = {
            **os.environ,
            "OMNIFY_URL": platform.url,
            "APP_URL": self.url,
            "CLIENT_ID": self.client["client_id"],
            "CLIENT_SECRET": self.client["client_secret"],
            "COOKIE_SECRET": secrets.token_hex(32),
            "PORT": str(port),
        }
        command = _COMMANDS[language](folder, port)
        self.process = Process(f"app-{language}", command, log=folder / "app.log", env=environment)
        self.process.wait_until(self._answers, timeout=60)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url).status_code == 200
        except httpx.TransportError:
            return False


def _python(folder: Path, port: int) -> list[str]:
    (folder / "app.py").write_text(code("python"))
    return [sys.executable, "-m", "uvicorn", "--app-dir", str(folder), "app:app", "--port", str(port)]


def _javascript(folder: Path, port: int) -> list[str]:
    (folder / "app.mjs").write_text(code("javascript"))
    (folder / "node_modules").symlink_to(nodejs.modules("node-caller", NODE))
    return [str(nodejs.program()), str(folder / "app.mjs")]


_COMMANDS = {"python": _python, "javascript": _javascript}


@pytest.fixture(params=["python", "javascript"])
def app(
    request: pytest.FixtureRequest, platform: Platform, new_marketer: NewMarketer, tmp_path: Path
) -> Iterator[tuple[App, Marketer, pyotp.TOTP]]:
    ada = new_marketer(full_name="Ada <i>Lovelace</i>").join(platform.inbox)
    generator = pyotp.TOTP(ada.ask("POST", "/api/mfa/totp/setup", 200)["secret"])
    before = generator.at(int(time.time()) - 30)  # leaves the present code unspent
    ada.ask("POST", "/api/mfa/totp/verify", 200, json={"code": before})
    made = App(str(request.param), platform, ada, tmp_path)
    yield made, ada, generator
    made.process.terminate()


async def test_a_person_signs_in_to_an_app_and_out_again(
    platform: Platform, page: Page, app: tuple[App, Marketer, pyotp.TOTP]
) -> None:
    relying, ada, generator = app
    await page.goto(f"{relying.url}/")
    await page.get_by_role("link", name="Sign in with Omnify").click()
    assert page.url.startswith(f"{platform.url}/oauth/authorize?")
    await _sign_in(page, ada, generator)
    await expect(page.get_by_role("heading", name="Allow Planner?")).to_be_visible()
    await expect(page.get_by_text("See your e-mail address")).to_be_visible()
    await page.get_by_role("button", name="Allow", exact=True).click()
    await expect(page.get_by_text(f"Hello {ada.full_name}, {ada.email}")).to_be_visible()
    assert page.url == f"{relying.url}/"
    [cookie] = [one for one in await page.context.cookies() if one["name"] == "__Host-omnify"]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")

    await page.goto(f"{relying.url}/login")
    assert page.url == f"{relying.url}/", "signed in and allowed before: nothing is asked"

    await page.get_by_role("link", name="Sign out").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_text("Nobody is signed in.")).to_be_visible()
    await page.goto(f"{relying.url}/login")
    await expect(page.get_by_label("Password")).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_text("access_denied")).to_be_visible()


async def _sign_in(page: Page, ada: Marketer, generator: pyotp.TOTP) -> None:
    password = page.get_by_label("Password")
    assert await password.get_attribute("type") == "password"
    await page.get_by_label("E-mail address").fill(ada.email)
    await password.fill("not the password at all")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("wrong")
    await page.get_by_label("Password").fill(ada.password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_label("Code of your authenticator app").fill(generator.now())
    await page.get_by_role("button", name="Confirm").click()


async def test_an_app_that_is_answered_by_somebody_else_refuses(app: tuple[App, Any, Any]) -> None:
    relying, _, _ = app
    with httpx.Client(base_url=relying.url) as http:
        for forged in (
            {"code": "x", "state": "y", "iss": "https://evil.example"},
            {"code": "x", "state": "y"},
            {},
        ):
            http.get("/login")
            assert http.get("/back", params=forged).status_code == 400, forged


async def test_a_passkey_signs_in_on_the_page(platform: Platform, page: Page, new_marketer: NewMarketer) -> None:
    """At the name that passkeys are bound to; Chromium's own authenticator verifies its user."""
    ada = new_marketer().join(platform.inbox)
    wanted = {"name": "Planner", "redirect_uris": ["http://127.0.0.1:9/back"]}
    client = ada.ask("POST", "/api/oauth/clients", 201, json=wanted)
    person = Person(page, platform.passkey_origin, ada)
    await person.open("/verify-email")
    await person.gets_authenticator()
    person.token = ada.tokens["access_token"]
    await person.enrols_passkey("This laptop")
    request = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": "http://127.0.0.1:9/back",
        "scope": "openid",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }
    await person.open(f"/oauth/authorize?{urlencode(request)}")
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_role("heading", name="Allow Planner?")).to_be_visible()
    await page.get_by_role("button", name="Use another account").click()
    await page.get_by_label("E-mail address").fill(ada.email)
    await page.get_by_label("Password").fill(ada.password)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.get_by_role("heading", name="Allow Planner?")).to_be_visible()
