"""One account from sign-up to erasure, in a real browser with its own authenticator, with the mails that it gets."""

import re
from collections.abc import Callable

import pyotp
import pytest
from playwright.async_api import Page, expect

from omnify_local.inbox import Mail
from omnify_local.journey import Marketer
from omnify_shared.testing import Platform
from support.person import Person

pytestmark = pytest.mark.guarantee("journeys")


def path_in(mail: Mail, page: str) -> str:
    """Path and fragment of the link to a page."""
    found = re.search(rf"https?://[^/\s]+(/{page}#token=\S+)", mail.text)
    assert found, mail.text
    return found.group(1).rstrip(".)")


async def test_from_sign_up_to_erasure(platform: Platform, page: Page, new_marketer: Callable[..., Marketer]) -> None:
    ada, colleague = new_marketer(), new_marketer()
    person = Person(page, platform.passkey_origin, ada)
    await _joins(platform, person)
    await _protects_the_account(platform, person)
    await _invites(platform, person, colleague)
    await _withdraws(person)
    await _takes_the_data(person)
    await _is_erased(platform, person, colleague)


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


async def _is_erased(platform: Platform, person: Person, colleague: Marketer) -> None:
    ada = person.marketer
    organization = f"/api/organizations/{ada.tokens['user']['organization_id']}"
    refused = await person.ask("POST", "/api/auth/me/erasure", 409, {"email": ada.email})
    assert refused["type"].endswith("/owner-needed")
    colleague.log_in()
    await person.ask("POST", f"{organization}/transfer", 204, {"user_id": colleague.tokens["user"]["user_id"]})
    await person.shows_passkey("/api/auth/login/passkey")
    asked = await person.ask("POST", "/api/auth/me/erasure", 202, {"email": ada.email})
    platform.inbox.wait_for(ada.email, subject="Your account was erased", timeout=60)
    shown = {"X-Erasure-Token": asked["status_token"]}
    await person.ask("GET", "/api/auth/me", 401)
    person.token = ""
    ended = await person.ask("GET", f"/api/auth/erasures/{asked['erasure_id']}", 200, headers=shown)
    assert ended["status"] == "erased"
    assert all(service["completed_at"] for service in ended["services"])
    await person.ask("POST", "/api/auth/login", 401, {"email": ada.email, "password": ada.password})
    colleague.log_in()
    members = colleague.ask("GET", f"{organization}/members", 200)["members"]
    assert [one["email"] for one in members] == [colleague.email]
