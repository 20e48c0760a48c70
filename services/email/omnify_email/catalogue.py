"""The mails there are: their category, who may ask for them, their subjects by language, what they need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Category = Literal["security", "transactional", "product", "marketing"]
Choice = Literal["product", "marketing"]
Locale = Literal["en", "de"]
FirstKind = Literal["verification", "registration_repeated"]
LetterKind = Literal[
    "account_disabled",
    "account_erased",
    "password_reset",
    "password_changed",
    "new_device",
    "session_reused",
    "many_failures",
    "factors_changed",
    "email_change",
    "email_change_asked",
    "email_changed",
    "invitation",
    "mfa_recovery",
]
NoticeKind = Literal["endpoint_disabled", "import_failed", "file_refused"]
Kind = FirstKind | LetterKind | NoticeKind

CATEGORIES: Final = get_args(Category)
LOCALES: Final = get_args(Locale)
FALLBACK: Final[Locale] = "en"
CHOSEN: Final[tuple[Choice, ...]] = get_args(Choice)
"""The categories that whoever gets them may turn off; the others are no choice."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value that a template shows: how long it may be, whether it spans lines, whether it is a link."""

    longest: int
    required: bool = True
    lines: bool = False
    link: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """One mail. `version` grows with every change of what it says. `sample` is what a preview shows.

    `subjects` is empty where the value `headline` is the subject. Only templates with `fields` may be asked for by
    an organisation; the others follow events.
    """

    name: str
    version: int
    category: Category
    subjects: Mapping[Locale, str]
    sample: Mapping[str, str]
    fields: Mapping[str, Field] = field(default_factory=dict)

    @property
    def by_request(self) -> bool:
        """Whether organisations may ask for it."""
        return bool(self.fields)


def _letter(name: str, en: str, de: str, category: Category = "security", **sample: str) -> Template:
    shown = {"link": "https://omnify.example/#token=***", "expires_at": "23 November 2026, 16:00 UTC"}
    return Template(name, 2, category, {"en": en, "de": de}, shown | sample)


def _message(name: Literal["notice", "product_update", "announcement"], category: Category) -> Template:
    fields = {
        "headline": Field(150),
        "text": Field(20_000, lines=True),
        "link": Field(2_000, required=False, link=True),
        "link_text": Field(80, required=False),
    }
    sample = {
        "headline": "Autumn is here",
        "text": "The new collection is in the shop.\n\nCome and see it.",
        "link": "https://shop.example/autumn",
        "link_text": "To the shop",
    }
    return Template(name, 1, category, {}, sample, fields)


_AT = "23 November 2026, 16:00 UTC"
TEMPLATES: Final[Mapping[str, Template]] = {
    template.name: template
    for template in (
        _letter("verification", "Confirm your email address", "Bestätigen Sie Ihre E-Mail-Adresse"),
        _letter("registration_repeated", "You already have an Omnify account", "Sie haben schon ein Omnify-Konto"),
        _letter("account_disabled", "Your account was disabled", "Ihr Konto wurde gesperrt"),
        _letter("account_erased", "Your account was erased", "Ihr Konto wurde gelöscht"),
        _letter("password_reset", "Choose a new password", "Wählen Sie ein neues Passwort"),
        _letter("password_changed", "Your password was changed", "Ihr Passwort wurde geändert"),
        _letter(
            "new_device",
            "A new sign-in to your account",
            "Eine neue Anmeldung in Ihrem Konto",
            device="Firefox on Linux",
            network="203.0.113.0/24",
            at=_AT,
        ),
        _letter("many_failures", "Wrong passwords before your sign-in", "Falsche Passwörter vor Ihrer Anmeldung",
                failures="7"),
        _letter("factors_changed", "Your second factors changed", "Ihre zweiten Faktoren haben sich geändert",
                news="a passkey was added", at=_AT),
        _letter("email_change", "Confirm your new email address", "Bestätigen Sie Ihre neue E-Mail-Adresse"),
        _letter("email_change_asked", "Your email address is about to change", "Ihre E-Mail-Adresse soll sich ändern"),
        _letter("email_changed", "Your email address was changed", "Ihre E-Mail-Adresse wurde geändert"),
        _letter("invitation", "You are invited to Omnify", "Sie sind zu Omnify eingeladen",
                inviter="Ada Lovelace", organization="Analytical Engines"),
        _letter("mfa_recovery", "Lost your second factors?", "Zweite Faktoren verloren?"),
        _letter("session_reused", "We ended a session of yours", "Wir haben eine Ihrer Sitzungen beendet"),
        _letter("endpoint_disabled", "Your webhook endpoint was disabled", "Ihr Webhook-Endpunkt wurde abgeschaltet",
                "transactional", host="hooks.shop.example", reason="failing"),
        _letter("import_failed", "An import of orders failed", "Ein Import von Bestellungen ist gescheitert",
                "transactional", import_id="0190c9a4-6f2e-7c3a-9d53-0d8f3c1b2a11"),
        _letter("file_refused", "Malware was found in a file of yours", "Schadsoftware in einer Ihrer Dateien",
                "transactional", file_id="0190c9a4-6f2e-7c3a-9d53-0d8f3c1b2a11"),
        _message("notice", "transactional"),
        _message("product_update", "product"),
        _message("announcement", "marketing"),
    )
}  # fmt: skip
NEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "endpoint_disabled": ("reason", "host"),
    "import_failed": ("import_id",),
    "file_refused": ("file_id",),
}
"""What a mail of another service's news shows, in the order in which its `reference` has it, after whom it is for."""
PAGES: Final[Mapping[str, str]] = {
    "verification": "verify-email",
    "password_reset": "reset-password",
    "email_change": "confirm-email",
    "invitation": "accept-invitation",
    "mfa_recovery": "recover-factors",
}
"""Where the link of a letter leads; the token follows in the fragment."""


def is_kind(name: str) -> bool:
    """Whether an event may ask for this mail."""
    template = TEMPLATES.get(name)
    return template is not None and not template.by_request
