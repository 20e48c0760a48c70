"""A browser without a screen: reads the forms of auth's pages, sends them as Chromium would, keeps the one cookie."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx

from omnify_auth.browsers import COOKIE

ISSUER = "http://localhost:8000"


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self.page = ""
        self._open: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = self.forms.setdefault(have["action"], {})
        elif tag == "input" and "name" in have:
            self._open[have["name"]] = have.get("value", "")
        elif tag == "main":
            self.page = have["data-page"]


@dataclass
class Browser:
    """`at` is the page that it shows; a redirect to another place than the pages is not followed."""

    http: httpx.AsyncClient
    origin: str = ISSUER
    cookie: str | None = None
    at: Any = None
    forms: dict[str, dict[str, str]] = field(default_factory=dict)
    page: str = ""

    async def open(self, path: str, params: dict[str, Any] | None = None) -> httpx.Response:
        """Follows a link."""
        return await self._shown(await self.http.get(path, params=params, headers=self._headers()))

    async def send(self, action: str, *, origin: str | None = None, **typed: str) -> httpx.Response:
        """Sends the form of that action, filled in; a button may send another form there."""
        form = {**(self.forms.get(action) or next(iter(self.forms.values()))), **typed}
        headers = self._headers() | {"origin": origin or self.origin}
        return await self._shown(await self.http.post(action, data=form, headers=headers))

    async def sign_in(self, email: str, password: str) -> httpx.Response:
        """Fills in the sign-in page."""
        return await self.send("/oauth/authorize/sign-in", email=email, password=password)

    async def decide(self, decision: str) -> httpx.Response:
        """Answers the question of the page."""
        action = "/oauth/logout" if self.page == "sign_out" else "/oauth/authorize/consent"
        return await self.send(action, decision=decision)

    def _headers(self) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}

    async def _shown(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            assert name == COOKIE
            assert {"Secure", "HttpOnly", "SameSite=lax", "Path=/"} <= {one.strip() for one in line.split(";")}
            self.cookie = value.strip('"') or None
        self.at, parser = answer, _Forms()
        parser.feed(answer.text)
        self.forms, self.page = parser.forms, parser.page
        return answer


def query_of(answer: httpx.Response) -> dict[str, str]:
    """What a redirect tells the app."""
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))
