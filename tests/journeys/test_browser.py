"""What a person sees, in a real browser (Debian's Chromium): the mailbox, the mail's link, the API docs."""

import re
from collections.abc import Callable

import pytest
from playwright.async_api import Page, expect

from omnify_local.journey import Marketer
from omnify_shared.testing import Platform

NewMarketer = Callable[..., Marketer]
pytestmark = pytest.mark.guarantee("journeys")


async def test_a_person_reads_the_mail_and_follows_its_link(
    platform: Platform, page: Page, new_marketer: NewMarketer
) -> None:
    marketer = new_marketer()
    marketer.register()
    subject = platform.inbox.wait_for(marketer.email)[-1].subject
    mail = platform.inbox.mails(marketer.email)[-1]

    await page.goto(platform.mailbox.url)
    await page.get_by_text(subject).first.wait_for()

    link = re.search(r"https?://\S+/verify-email#token=\S+", mail.text)
    assert link is not None
    await page.goto(link.group().rstrip(".)"))
    assert "token" not in page.url, "the page takes the token out of the address at once"
    await page.get_by_role("button", name="Confirm email address").click()
    await expect(page.locator("#page")).to_have_attribute("data-state", "verified")
    marketer.log_in()

    await page.goto("about:blank")
    await page.goto(link.group().rstrip(".)"))
    await page.get_by_role("button", name="Confirm email address").click()
    await expect(page.locator("#page")).to_have_attribute("data-state", re.compile("invalid|expired"))


async def test_a_person_confirms_another_address(platform: Platform, page: Page, new_marketer: NewMarketer) -> None:
    marketer = new_marketer().join(platform.inbox)
    new = f"new.{marketer.email}"
    marketer.ask("POST", "/api/auth/change-email", 202, json={"new_email": new})
    [mail] = platform.inbox.wait_for(new, subject="Confirm your new email address")
    link = re.search(r"https?://\S+/confirm-email#token=\S+", mail.text)
    assert link is not None
    for state in ("changed", "invalid"):
        await page.goto("about:blank")
        await page.goto(link.group().rstrip(".)"))
        assert "token" not in page.url
        await page.get_by_role("button", name="Confirm email address").click()
        await expect(page.locator("#page")).to_have_attribute("data-state", state)
    marketer.email = new
    marketer.log_in()


async def test_a_person_replaces_a_forgotten_password(
    platform: Platform, page: Page, new_marketer: NewMarketer
) -> None:
    marketer = new_marketer().join(platform.inbox)
    marketer.ask("POST", "/api/auth/password-reset", 202, json={"email": marketer.email})
    [mail] = platform.inbox.wait_for(marketer.email, subject="Choose a new password")
    link = re.search(r"https?://\S+/reset-password#token=\S+", mail.text)
    assert link is not None
    await page.goto(link.group().rstrip(".)"))
    assert "token" not in page.url
    marketer.password = "nine patient owls by the river"
    for password, state in (("too short", "weak"), (marketer.password, "changed")):
        await page.locator("#password").fill(password)
        await page.locator("#submit").click()
        await expect(page.locator("#page")).to_have_attribute("data-state", state)
    marketer.log_in()

    await page.goto(f"{platform.url}/recover-factors#token=made.up")
    assert "token" not in page.url
    await page.locator("#confirm").click()
    await expect(page.locator("#page")).to_have_attribute("data-state", "invalid")
    await page.goto("about:blank")
    await page.goto(f"{platform.url}/recover-factors")
    await expect(page.locator("#page")).to_have_attribute("data-state", "missing")


async def test_a_colleague_accepts_an_invitation(platform: Platform, page: Page, new_marketer: NewMarketer) -> None:
    owner, guest = new_marketer().join(platform.inbox), new_marketer()
    organization_id = owner.tokens["user"]["organization_id"]
    form = {"email": guest.email, "role": "manager"}
    owner.ask("POST", f"/api/organizations/{organization_id}/invitations", 201, json=form)
    [mail] = platform.inbox.wait_for(guest.email, subject="You are invited to Omnify")
    link = re.search(r"https?://\S+/accept-invitation#token=\S+", mail.text)
    assert link is not None
    await page.goto(link.group())
    assert "token" not in page.url
    await page.get_by_label("Your name").fill(guest.full_name)
    await page.get_by_label("New password").fill(guest.password)
    await page.get_by_role("button", name="Create my account and join").click()
    await expect(page.locator("#page")).to_have_attribute("data-state", "joined")
    guest.log_in()
    assert guest.tokens["user"]["roles"] == ["manager"]
    await page.goto("about:blank")
    await page.goto(link.group())
    await expect(page.locator("#page")).to_have_attribute("data-state", "invalid")


async def test_a_person_with_an_account_joins_by_the_page(
    platform: Platform, page: Page, new_marketer: NewMarketer
) -> None:
    owner, guest = new_marketer().join(platform.inbox), new_marketer().join(platform.inbox)
    organization_id = owner.tokens["user"]["organization_id"]
    form = {"email": guest.email, "role": "viewer"}
    owner.ask("POST", f"/api/organizations/{organization_id}/invitations", 201, json=form)
    [mail] = platform.inbox.wait_for(guest.email, subject="You are invited to Omnify")
    link = re.search(r"https?://\S+/accept-invitation#token=\S+", mail.text)
    assert link is not None
    await page.goto(link.group())
    await page.get_by_label("Your password").fill("not the password")
    await page.get_by_role("button", name="Sign in and join").click()
    await expect(page.locator("#page")).to_have_attribute("data-state", "wrong")
    await page.get_by_label("Your password").fill(guest.password)
    await page.get_by_role("button", name="Sign in and join").click()
    await expect(page.locator("#page")).to_have_attribute("data-state", "joined")
    mine = guest.ask("GET", "/api/organizations", 200)["organizations"]
    assert organization_id in {one["organization_id"] for one in mine}


async def test_the_api_docs_list_every_service(platform: Platform, page: Page) -> None:
    await page.goto(f"{platform.url}/docs")
    for tag, path in (("auth", "/api/auth/register"), ("analytics", "/api/analytics/overview")):
        await page.locator(f'[data-tag="{tag}"]').click()
        await page.get_by_text(path, exact=False).first.wait_for()
