"""Mails from templates: text and HTML in a language, and what a stranger's name may look like in them."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal

import css_inline
from jinja2 import PackageLoader, StrictUndefined, Template, TemplateNotFound, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from omnify_email.catalogue import FALLBACK, LOCALES, TEMPLATES, Locale

_NAME = re.compile(r"[^\W\d_][\w &,'’.\-]{0,59}")
_LINK = re.compile(r"://|www\.|\w\.\w{2}", re.IGNORECASE)
_NOBODY: Mapping[Locale, str] = {"en": "there", "de": ""}
_LANGUAGE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q=([0-9.]{1,5}))?\s*")


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
    best, weight = FALLBACK, 0.0
    for part in (accepted or "")[:500].split(","):
        match = _LANGUAGE.fullmatch(part)
        try:
            asked = float(match[2]) if match and match[2] else 1.0
        except ValueError:
            continue
        known = next((locale for locale in LOCALES if match and match[1].lower() == locale), None)
        if known and asked > weight:
            best, weight = known, asked
    return best


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
