"""Rendering, addresses and settings, without a sidecar."""

import subprocess
import sys

import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from omnify_email import rendering
from omnify_email.errors import PermanentError
from omnify_email.rendering import SUBJECTS, greeting_name, render
from omnify_email.senders.mail import Mail
from omnify_email.senders.smtp import SmtpSender
from omnify_email.settings import EmailSettings, Smtp

DEVICE = {
    "device": "Firefox on Linux",
    "network": "203.0.113.0/24",
    "at": "now",
    "failures": "5",
    "inviter": "Ada",
    "organization": "Shop",
    "news": "a passkey was added",
}
VALUES = {"name": "Ana", "subject": "S", "link": "https://omnify.example/#token=x", "expires_at": "soon"} | DEVICE


@pytest.mark.parametrize("kind", SUBJECTS)
def test_values_are_escaped_in_html_and_plain_in_text(kind: rendering.Kind) -> None:
    text, html = render(kind, VALUES | {"name": "<script>&", "link": 'https://x/"><img src=x>'})
    assert "<script>" in text
    assert "<script>" not in html
    assert "<img" not in html


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_missing_value_is_an_error_and_not_a_gap(kind: rendering.Kind) -> None:
    with pytest.raises(UndefinedError):
        render(kind, {name: value for name, value in VALUES.items() if name != "link"})


def test_templates_cannot_reach_into_python() -> None:
    with pytest.raises(SecurityError):
        rendering._environment().from_string("{{ ''.__class__.__mro__ }}").render()


@pytest.mark.parametrize("name", ["Ana Silva", "O'Neil", "J. R. Tolkien", "Łukasz Żak", "Jean-Luc", "李 小龙"])
def test_people_are_greeted_by_name(name: str) -> None:
    assert greeting_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Buy at evil.com", "http://evil", "www.evil", "a@b.c", "<b>x</b>", "A\r\nBcc: x", "x" * 80]
)
def test_a_name_carries_no_message_of_its_own(name: str) -> None:
    assert greeting_name(name) in {"there", "A Bcc x"}


@pytest.mark.parametrize(
    ("inviter", "organization", "said"),
    [
        ("Ada Lovelace", "Bits & Bytes, Ltd.", "Ada Lovelace invites you to join Bits & Bytes, Ltd. on"),
        ("Win at evil.com", "http://evil", "somebody invites you to join their organisation on"),
    ],
)
def test_an_invitation_carries_no_message_of_its_own(inviter: str, organization: str, said: str) -> None:
    text, _ = render("invitation", VALUES | {"inviter": inviter, "organization": organization})
    assert said in text


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "nobody", "", "a b@c.example"]
)
def test_an_address_cannot_add_a_header_or_a_recipient(address: str) -> None:
    sender = SmtpSender(EmailSettings(environment="test"))
    with pytest.raises(PermanentError):
        sender._message(Mail("<m@x>", address, "", "S", "t", "<p>h</p>"))


def test_a_password_never_leaves_in_the_clear() -> None:
    with pytest.raises(ValueError, match="clear"):
        Smtp.parse("smtp://user:secret@mail.example:25?starttls=never")
    assert Smtp.parse("smtp://user:secret@mail.example").starttls
    assert Smtp.parse("smtps://user:p%40ss@mail.example").login == ("user", "p@ss")
    assert not Smtp.parse("smtp://127.0.0.1:1025").starttls
    assert "secret" not in repr(EmailSettings(smtp_url="smtps://user:secret@mail.example"))


@pytest.mark.parametrize("url", ["http://x", "smtp://", "mail.example:25", "smtp://h?starttls=maybe"])
def test_a_bad_smtp_url_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError):
        EmailSettings(smtp_url=url)


@pytest.mark.parametrize(("provider", "unused"), [("smtp", "sendgrid"), ("sendgrid", "aiosmtplib")])
def test_only_the_chosen_providers_library_is_loaded(provider: str, unused: str) -> None:
    code = (
        "import sys; from omnify_email.app import create_app; from omnify_email.senders import senders_for; "
        "from omnify_email.settings import EmailSettings; create_app(); senders_for(EmailSettings(), None); "
        f"sys.exit({unused!r} in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"EMAIL_PROVIDER": provider})
