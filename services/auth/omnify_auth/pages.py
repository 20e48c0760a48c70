"""The pages that people see on their way to an app: rendered here, escaped, with a policy that lets nothing else in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

PASSKEY_SCRIPT = files("omnify_auth").joinpath("static/passkey.js").read_bytes()
_TEMPLATES = Environment(
    loader=PackageLoader("omnify_auth", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_SCRIPTED = "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'"
# Not `no-referrer`: with that, browsers send `Origin: null` with forms, which could not be told from a stranger's.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """What every form carries: the request that it belongs to, when that began, and the proof that it is ours."""

    request: str
    began: str
    token: str


def page(
    name: str,
    status: int = 200,
    *,
    leads_to: Iterable[str] = (),
    scripted: bool = False,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """The page of a template. `leads_to` are the origins where its forms may end up, beside our own."""
    text = _TEMPLATES.get_template(f"{name}.html").render(page=name, scripted=scripted, **values)
    return HTMLResponse(text, status, headers={**HEADERS, **_policy(leads_to, scripted), **(headers or {})})


def message(heading: str, text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """A page that only says something."""
    return page("message", status, heading=heading, text=text, headers=headers)


def sent_to(url: str) -> Response:
    """The way to another address, by GET."""
    return Response(status_code=303, headers={**HEADERS, **_policy((), scripted=False), "Location": url})


def _policy(leads_to: Iterable[str], scripted: bool) -> dict[str, str]:
    targets = " ".join(("'self'", *leads_to))
    policy = (
        f"default-src 'none'; style-src 'self'; img-src data:; form-action {targets}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {"Content-Security-Policy": policy + (_SCRIPTED if scripted else "")}
