"""One account from sign-up to the export of its data, in a real browser with its own authenticator, with its mails."""

import re
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from playwright.async_api import Page, expect

from omnify_local.inbox import Mail
from omnify_local.journey import Marketer
from omnify_shared.testing import Platform

pytestmark = pytest.mark.guarantee("journeys")
ASK = """async ({method, path, body, token}) => {
    const headers = body ? {"content-type": "application/json"} : {};
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body), credentials: "omit"});
    const text = await answer.text();
    return {status: answer.status, body: text && JSON.parse(text)};
}"""
CREATE = """async (options) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return (await navigator.credentials.create({publicKey})).toJSON();
}"""
GET = """async (options) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({publicKey})).toJSON();
}"""
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Person:
    """What a page of ours does for its user: requests from its own origin, and the browser's passkeys."""

    def __init__(self, page: Page, origin: str, marketer: Marketer) -> None:
        self.page, self.origin, self.marketer = page, origin, marketer
        self.token = ""

    async def open(self, path: str) -> None:
        """Shows a page, with a fresh start even where only the fragment differs."""
        await self.page.goto("about:blank")
        await self.page.goto(self.origin + path)

    async def ask(self, method: str, path: str, expected: int, body: Any = None) -> Any:
        """A request by the page's script."""
        said = {"method": method, "path": path, "body": body, "token": self.token}
        answer = await self.page.evaluate(ASK, said)
        assert answer["status"] == expected, f"{method} {path}: {answer}"
        return answer["body"]

    async def gets_authenticator(self) -> None:
        """Chromium's virtual authenticator, which verifies its user."""
        devtools = await self.page.context.new_cdp_session(self.page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    async def enrols_passkey(self, name: str) -> Any:
        """Has the authenticator make a passkey."""
        ceremony = await self.ask("POST", "/api/mfa/passkeys/options", 200)
        credential = await self.page.evaluate(CREATE, ceremony["options"])
        made = {"ceremony_id": ceremony["ceremony_id"], "name": name, "credential": credential}
        return await self.ask("POST", "/api/mfa/passkeys", 201, made)

    async def shows_passkey(self, path: str) -> Any:
        """Signs in, or steps up, with the passkey."""
        ceremony = await self.ask("POST", "/api/auth/login/passkey/options", 200)
        credential = await self.page.evaluate(GET, ceremony["options"])
        answer = await self.ask("POST", path, 200, {"ceremony_id": ceremony["ceremony_id"], "credential": credential})
        self.token = answer["access_token"]
        return answer

    async def signs_in(self, **proof: str) -> Any:
        """Password, then a second factor."""
        marketer, self.token = self.marketer, ""
        form = {"email": marketer.email, "password": marketer.password}
        waiting = await self.ask("POST", "/api/auth/login", 403, form)
        answer = await self.ask("POST", "/api/auth/login/mfa", 200, proof | {"mfa_token": waiting["mfa_token"]})
        self.token = answer["access_token"]
        return answer


def path_in(mail: Mail, page: str) -> str:
    """Path and fragment of the link to a page."""
    found = re.search(rf"https?://[^/\s]+(/{page}#token=\S+)", mail.text)
    assert found, mail.text
    return found.group(1).rstrip(".)")


async def test_from_sign_up_to_export(platform: Platform, page: Page, new_marketer: Callable[..., Marketer]) -> None:
    ada, colleague = new_marketer(), new_marketer()
    person = Person(page, platform.passkey_origin, ada)
    await _joins(platform, person)
    await _protects_the_account(platform, person)
    await _invites(platform, person, colleague)
    await _withdraws(person)
    await _takes_the_data(person)


async def _joins(platform: Platform, person: Person) -> None:
    ada = person.marketer
    await person.open("/verify-email")
    form = {"email": ada.email, "password": ada.password, "full_name": ada.full_name}
    await person.ask("POST", "/api/auth/register", 202, form | {"organization_name": ada.organization})
    mail = platform.inbox.wait_for(ada.email)[-1]
    await person.open(path_in(mail, "verify-email"))
    await person.page.get_by_role("button", name="Confirm email address").click()
    await expect(person.page.locator("#page")).to_have_attribute("data-state", "verified")
    signed_in = await person.ask("POST", "/api/auth/login", 200, {"email": ada.email, "password": ada.password})
    person.token = signed_in["access_token"]
    ada.tokens = signed_in


async def _protects_the_account(platform: Platform, person: Person) -> None:
    await person.gets_authenticator()
    passkey = await person.enrols_passkey("This laptop")
    assert len(passkey["recovery_codes"]) == 10
    generator = pyotp.TOTP((await person.ask("POST", "/api/mfa/totp/setup", 200))["secret"])
    await person.ask("POST", "/api/mfa/totp/verify", 200, {"code": generator.now()})
    platform.inbox.wait_for(person.marketer.email, count=2, subject="Your second factors changed")
    me = await person.ask("GET", "/api/auth/me", 200)
    await person.ask("POST", "/api/auth/logout", 204)
    await person.signs_in(recovery_code=passkey["recovery_codes"][0])
    await person.ask("POST", "/api/auth/logout", 204)
    person.token = ""
    signed_in = await person.shows_passkey("/api/auth/login/passkey")
    assert signed_in["user"]["user_id"] == me["user_id"]
    before = person.token
    await person.shows_passkey("/api/auth/step-up/passkey")
    assert person.token != before


async def _invites(platform: Platform, person: Person, colleague: Marketer) -> None:
    organization = f"/api/organizations/{person.marketer.tokens['user']['organization_id']}"
    await person.ask("POST", f"{organization}/invitations", 201, {"email": colleague.email, "role": "member"})
    [mail] = platform.inbox.wait_for(colleague.email, subject="You are invited to Omnify")
    await person.open(path_in(mail, "accept-invitation"))
    await person.page.get_by_label("Your name").fill(colleague.full_name)
    await person.page.get_by_label("New password").fill(colleague.password)
    await person.page.get_by_role("button", name="Create my account and join").click()
    await expect(person.page.locator("#page")).to_have_attribute("data-state", "joined")
    members = await person.ask("GET", f"{organization}/members", 200)
    assert {one["email"] for one in members["members"]} == {person.marketer.email, colleague.email}


async def _withdraws(person: Person) -> None:
    terms = {"document_type": "terms"}
    shown = await person.ask("GET", "/api/legal/terms", 200)
    await person.ask("POST", "/api/legal/accept", 200, terms | {"version": shown["version"]})
    await person.ask("POST", "/api/legal/withdraw", 200, terms)
    history = await person.ask("GET", "/api/legal/acceptances", 200)
    assert [one["action"] for one in history["acceptances"]] == ["withdrawn", "accepted"]


async def _takes_the_data(person: Person) -> None:
    held = await person.ask("GET", "/api/auth/me/export", 200)
    assert person.marketer.email in str(held)
