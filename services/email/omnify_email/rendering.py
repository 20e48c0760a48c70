"""Mails from templates: text and HTML of each kind, and what a stranger's name may look like in them."""

import re
from functools import cache
from typing import Literal

from jinja2 import PackageLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import SandboxedEnvironment

FirstKind = Literal["verification", "registration_repeated"]
LetterKind = Literal[
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
Kind = FirstKind | LetterKind

SUBJECTS: dict[Kind, str] = {
    "verification": "Confirm your email address",
    "registration_repeated": "You already have an Omnify account",
    "password_reset": "Choose a new password",
    "password_changed": "Your password was changed",
    "new_device": "A new sign-in to your account",
    "many_failures": "Wrong passwords before your sign-in",
    "factors_changed": "Your second factors changed",
    "email_change": "Confirm your new email address",
    "email_change_asked": "Your email address is about to change",
    "email_changed": "Your email address was changed",
    "invitation": "You are invited to Omnify",
    "mfa_recovery": "Lost your second factors?",
    "session_reused": "We ended a session of yours",
}
PAGES: dict[Kind, str] = {
    "verification": "verify-email",
    "password_reset": "reset-password",
    "email_change": "confirm-email",
    "invitation": "accept-invitation",
    "mfa_recovery": "recover-factors",
}
_NAME = re.compile(r"[^\W\d_][\w &,'’.\-]{0,59}")
_LINK = re.compile(r"://|www\.|\w\.\w{2}", re.IGNORECASE)


@cache
def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=PackageLoader("omnify_email"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["named"] = _named
    return environment


def render(kind: Kind, values: dict[str, str]) -> tuple[str, str]:
    """The text and the HTML of a mail. Raises jinja2.UndefinedError when a value is missing."""
    environment = _environment()
    text = environment.get_template(f"{kind}.txt").render(values)
    return text, environment.get_template(f"{kind}.html").render(values)


def greeting_name(full_name: str) -> str:
    """The name to greet by, or "there": whoever registers chooses it, and could make us carry an advert or a link."""
    return _named(full_name, "there")


def _named(name: str, otherwise: str) -> str:
    """A stranger's name as it may stand in a mail."""
    shown = " ".join(name.split())
    return shown if _NAME.fullmatch(shown) and not _LINK.search(shown) else otherwise
