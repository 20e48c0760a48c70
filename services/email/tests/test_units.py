"""Rendering, addresses and settings, without a sidecar."""

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import dkim
import pytest
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from omnify_email import rendering
from omnify_email.catalogue import LOCALES, TEMPLATES, Locale
from omnify_email.errors import PermanentError, UnusableValues
from omnify_email.keys import new_key_pair
from omnify_email.rendering import greeting_name, locale_of, moment, render
from omnify_email.senders.mail import Mail, Signing
from omnify_email.senders.smtp import SmtpSender
from omnify_email.service.messages import check_values
from omnify_email.settings import EmailSettings, Smtp

DEVICE = {
    "device": "Firefox on Linux",
    "network": "203.0.113.0/24",
    "at": "now",
    "failures": "5",
    "inviter": "Ada",
    "organization": "Shop",
    "news": "a passkey was added",
    "host": "hooks.shop.example",
    "reason": "gone",
    "import_id": "i",
    "file_id": "f",
}
LETTERS = [name for name, template in TEMPLATES.items() if not template.by_request]
VALUES = {"name": "Ana", "subject": "S", "link": "https://omnify.example/#token=x", "expires_at": "soon"} | DEVICE


class Elements(HTMLParser):
    """The names of a page's elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)


def elements(html: str) -> set[str]:
    parser = Elements()
    parser.feed(html)
    return parser.found


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", LETTERS)
def test_values_are_escaped_in_html_and_plain_in_text(kind: str, locale: Locale) -> None:
    _, text, html = render(kind, locale, VALUES | {"name": "<script>&", "link": 'https://x/"><img src=x>'})
    assert "<script>" in text
    assert {"script", "img"}.isdisjoint(elements(html))
    assert "<style" not in html


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", LETTERS)
def test_a_missing_value_is_an_error_and_not_a_gap(kind: str, locale: Locale) -> None:
    with pytest.raises(UndefinedError):
        render(kind, locale, {name: value for name, value in VALUES.items() if name != "link"})


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
    _, text, _ = render("invitation", "en", VALUES | {"inviter": inviter, "organization": organization})
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


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_has_a_subject_a_text_and_a_page_in_every_language(name: str, locale: Locale) -> None:
    template = TEMPLATES[name]
    more = {"name": "Ana", "unsubscribe": "", "sender_name": "The Shop"}
    subject, text, html = render(name, locale, {**template.sample, **more})
    assert subject
    assert template.sample["link"] in text
    assert f'<html lang="{locale}"' in html
    assert 'style="' in html


@pytest.mark.parametrize("form", [1, 2])
def test_what_auth_says_in_english_is_said_in_german(form: int) -> None:
    shown = VALUES | {"change": "code_used", "left": "3", "news": "a recovery code was used; 3 are left"}
    said = render("factors_changed", "de", shown)[form]
    assert "zu den zweiten Faktoren Ihres Kontos: ein Wiederherstellungscode wurde benutzt; 3 sind übrig." in said
    assert "Kontos: a passkey was added." in render("factors_changed", "de", VALUES)[form]
    assert "Gerät: Firefox unter Linux" in render("new_device", "de", VALUES)[form]
    unknown = {"device": "an unknown program", "network": "an unknown network"}
    said = render("new_device", "de", VALUES | unknown)[form]
    assert "Gerät: ein unbekanntes Programm" in said
    assert "Netz: ein unbekanntes Netz" in said
    hostile = render("new_device", "de", VALUES | {"device": "<b>x</b>", "network": "<i>"})[2]
    assert not {"b", "i"} & elements(hostile)


def test_a_moment_is_written_as_its_language_does() -> None:
    when = datetime(2026, 12, 3, 18, 5, tzinfo=timezone(timedelta(hours=2)))
    assert moment(when, "en") == "3 December 2026, 16:05 UTC"
    assert moment(when, "de") == "3. Dezember 2026, 16:05 UTC"


def test_a_language_without_words_of_a_template_gets_it_in_english() -> None:
    assert render("verification", "de", VALUES)[0] != render("verification", "en", VALUES)[0]


@pytest.mark.parametrize(
    ("accepted", "locale"),
    [
        (None, "en"), ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("fr, en;q=0.5, de;q=0.6", "de"),
        ("fr", "en"), ("en-GB", "en"), ("de;q=0", "en"), ("de;q=x,,;;", "en"), ("*", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_best_of_those_accepted(accepted: str | None, locale: str) -> None:
    assert locale_of(accepted) == locale


@pytest.mark.parametrize(
    "values",
    [
        {"headline": "a", "text": "b", "other": "c"},
        {"headline": "a"},
        {"headline": " ", "text": "b"},
        {"headline": "a\r\nBcc: x@y.example", "text": "b"},
        {"headline": "a", "text": "b", "link": "javascript:alert(1)"},
        {"headline": "a", "text": "b", "link": 'https://x.example/"><script>'},
        {"headline": "a" * 151, "text": "b"},
    ],
)
def test_values_that_do_not_fit_a_template_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(UnusableValues):
        check_values(TEMPLATES["announcement"].fields, values)


def test_a_template_takes_paragraphs_of_text() -> None:
    values = {"headline": "News", "text": "one\r\n\r\ntwo\nlines", "link": "https://x.example/a?b=c"}
    check_values(TEMPLATES["announcement"].fields, values)
    shown = {**values, "link_text": "", "unsubscribe": "https://u.example/x", "sender_name": "The Shop"}
    subject, text, html = render("announcement", "en", shown)
    assert subject == "News"
    assert html.count("<p") == 5
    assert "Unsubscribe" in html
    assert "https://u.example/x" in text


async def test_a_signed_mail_verifies_and_an_altered_one_does_not() -> None:
    private, public = await new_key_pair()
    signing = Signing("shop.example", "s1", private)
    mail = Mail("<m@x>", "a@b.example", "", "S", "t", "<p>h</p>", sender=("a@shop.example", "Shop"), signing=signing)
    sender = SmtpSender(EmailSettings(environment="test"))
    raw = sender._signed(sender._message(mail), signing)

    def txt(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.shop.example."
        return f"v=DKIM1; k=rsa; p={public}".encode()

    assert dkim.verify(raw, dnsfunc=txt)
    assert not dkim.verify(raw.replace(b"Subject: S", b"Subject: T"), dnsfunc=txt)
