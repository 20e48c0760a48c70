"""Mails from templates: text and HTML in a language, and what a stranger's name may look like in them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Literal

import css_inline
from babel.dates import format_datetime
from jinja2 import PackageLoader, StrictUndefined, Template, TemplateNotFound, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from omnify_email.catalogue import FALLBACK, LOCALES, TEMPLATES, Locale
from omnify_shared.languages import asked_for

_NAME = re.compile(r"[^\W\d_][\w &,'’.\-]{0,59}")
_LINK = re.compile(r"://|www\.|\w\.\w{2}", re.IGNORECASE)
_DAY: Mapping[Locale, str] = {"en": "d MMMM y", "de": "d. MMMM y"}
_NOBODY: Mapping[Locale, str] = {"en": "there", "de": ""}


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=PackageLoader("omnify_email"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["named"] = _named
    environment.filters["paragraphs"] = _paragraphs
    return environment


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False)


def render(name: str, locale: Locale, values: Mapping[str, str]) -> tuple[str, str, str]:
    """The subject, the text and the HTML of a mail. Raises jinja2.UndefinedError when a value is missing.

    What has no words in a language yet comes in English, as a whole.
    """
    template = TEMPLATES[name]
    known = locale if locale in template.subjects or not template.subjects else FALLBACK
    subject = template.subjects[known] if template.subjects else " ".join(values["headline"].split())
    shown = {**values, "subject": subject, "locale": known}
    text = _template(name, "txt", known).render(shown)
    return subject, text, _inliner().inline(_template(name, "html", known).render(shown))


def _template(name: str, form: Literal["txt", "html"], locale: Locale) -> Template:
    try:
        return _environment().get_template(f"{locale}/{name}.{form}")
    except TemplateNotFound:
        return _environment().get_template(f"{name}.{form}")


def locale_of(accepted: str | None) -> Locale:
    """The best of our languages for an `Accept-Language` (RFC 9110 §12.5.4), or for a language tag alone."""
    asked = [tag.partition("-")[0].lower() for tag in asked_for(accepted)]
    return next((locale for language in asked for locale in LOCALES if language == locale), FALLBACK)


def moment(when: datetime, locale: Locale) -> str:
    """A moment as it stands in a mail, to the minute, in UTC: `23 November 2026, 16:00 UTC`."""
    return format_datetime(when.astimezone(UTC), f"{_DAY[locale]}, HH:mm 'UTC'", locale=locale)


def greeting_name(full_name: str, locale: Locale = FALLBACK) -> str:
    """The name to greet by, or "there": whoever registers chooses it, and could make us carry an advert or a link."""
    return _named(full_name, _NOBODY[locale])


def is_greeting(name: str) -> bool:
    """Whether that is what stands where a name can't."""
    return name in _NOBODY.values()


def _named(name: str, otherwise: str) -> str:
    """A stranger's name as it may stand in a mail."""
    shown = " ".join(name.split())
    return shown if _NAME.fullmatch(shown) and not _LINK.search(shown) else otherwise


def _paragraphs(text: str) -> list[str]:
    """What stands between empty lines."""
    return [part.strip() for part in re.split(r"\n\s*\n", text.replace("\r\n", "\n")) if part.strip()]
