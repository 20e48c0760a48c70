"""`/api/email/unsubscribe/{token}`: where the link of a mail leads, without a sign-in (RFC 8058)."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from omnify_email.catalogue import Locale
from omnify_email.deps import LocaleDep, ServiceDep
from omnify_email.unsubscribe import LONGEST

router = APIRouter(prefix="/api/email/unsubscribe", tags=["unsubscribing"])
Token = Annotated[str, Path(min_length=1, max_length=LONGEST)]
_WORDS: dict[Locale, dict[str, str]] = {
    "en": {
        "title": "Unsubscribe",
        "ask": "Do you want to get no more mails of this kind from this sender?",
        "button": "Unsubscribe",
        "done": "You will get no more mails of this kind from this sender.",
    },
    "de": {
        "title": "Abbestellen",
        "ask": "Möchten Sie keine Mails dieser Art mehr von diesem Absender erhalten?",
        "button": "Abbestellen",
        "done": "Sie erhalten keine Mails dieser Art mehr von diesem Absender.",
    },
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


@router.get("/{token}", response_class=HTMLResponse)
async def page(token: Token, locale: LocaleDep, service: ServiceDep) -> HTMLResponse:
    """A page with one button: mail programs and scanners follow links, so a GET changes nothing."""
    await service.unsubscribing(token)
    words = _WORDS[locale]
    button = f'<form method="post"><button>{words["button"]}</button></form>'
    return _page(locale, words["ask"], button)


@router.post("/{token}", response_class=HTMLResponse)
async def unsubscribe(token: Token, locale: LocaleDep, service: ServiceDep) -> HTMLResponse:
    """Turns the mail's category off for its recipient, at once; again changes nothing. No body is needed."""
    await service.unsubscribe(token)
    return _page(locale, _WORDS[locale]["done"])


def _page(locale: Locale, text: str, more: str = "") -> HTMLResponse:
    title = _WORDS[locale]["title"]
    head = f'<!doctype html><html lang="{locale}"><head><meta charset="utf-8"><title>{title}</title></head>'
    return HTMLResponse(f"{head}<body><h1>{title}</h1><p>{escape(text)}</p>{more}</body></html>", headers=_HEADERS)
