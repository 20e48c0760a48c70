"""An app at the tests' end of OAuth: its registration, its requests and what it does with the answers."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import jwt
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from support.browser import Browser, query_of

BACK = "https://app.example.com/back"
AFTER = "https://app.example.com/bye"
SCOPES = ["openid", "profile", "email", "offline_access", "campaign:view", "org:admin"]


@dataclass
class App:
    """A registered app; `verifier` belongs to its last request."""

    lab: Any
    owner: dict[str, Any]
    form: dict[str, str]
    client: dict[str, Any]
    verifier: str = ""
    state: str = ""
    browsers: list[Browser] = field(default_factory=list)

    @classmethod
    async def new(cls, lab: Any, **fields: Any) -> "App":
        """With an owner of a new organisation, who is its first user."""
        form = await lab.verified()
        owner = (await lab.login(form)).json()
        return await cls.of(lab, owner, form, **fields)

    @classmethod
    async def of(cls, lab: Any, owner: dict[str, Any], form: dict[str, str], **fields: Any) -> "App":
        wanted = {
            "name": "Planner <b>",
            "redirect_uris": [BACK],
            "post_logout_redirect_uris": [AFTER],
            "scopes": SCOPES,
            **fields,
        }
        headers = {"authorization": f"Bearer {owner['access_token']}"}
        made = await lab.auth.http.post("/api/oauth/clients", json=wanted, headers=headers)
        assert made.status_code == 201, made.text
        return cls(lab, owner, form, made.json())

    @property
    def id(self) -> str:
        return str(self.client["client_id"])

    def browser(self) -> Browser:
        return Browser(self.lab.auth.http)

    def request(self, **more: str) -> dict[str, str]:
        """The parameters of an authorization request; an empty one is left out."""
        self.verifier, self.state = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        asked = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": BACK,
            "scope": "openid profile email",
            "state": self.state,
            "nonce": "n-1",
            "code_challenge": create_s256_code_challenge(self.verifier),
            "code_challenge_method": "S256",
            **more,
        }
        return {name: value for name, value in asked.items() if value}

    async def ask(self, browser: Browser, **more: str) -> httpx.Response:
        return await browser.open("/oauth/authorize", self.request(**more))

    async def code(self, browser: Browser | None = None, **more: str) -> str:
        """A code for a user who signs in and allows what is asked, where they are asked."""
        browser = browser or self.browser()
        answer = await self.ask(browser, **more)
        if browser.page == "sign_in":
            answer = await browser.sign_in(self.form["email"], self.form["password"])
        if browser.page == "consent":
            answer = await browser.decide("allow")
        return query_of(answer)["code"]

    async def token(self, **form: str) -> httpx.Response:
        auth = (self.id, self.client["client_secret"]) if self.client["client_secret"] else None
        extra: dict[str, Any] = {"auth": auth} if auth else {}
        form = form if auth else {"client_id": self.id, **form}
        answer: httpx.Response = await self.lab.auth.http.post("/oauth/token", data=form, **extra)
        return answer

    async def exchange(self, code: str, **form: str) -> httpx.Response:
        sent = {"code": code, "redirect_uri": BACK, "code_verifier": self.verifier, **form}
        return await self.token(grant_type="authorization_code", **sent)

    async def tokens(self, browser: Browser | None = None, **more: str) -> dict[str, Any]:
        answer = await self.exchange(await self.code(browser, **more))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def refresh(self, tokens: dict[str, Any], **form: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"], **form)


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))
