"""A person at a real browser with a passkey authenticator of its own."""

from typing import Any

from playwright.async_api import Page

from omnify_local.journey import Marketer

ASK = """async ({method, path, body, token, more}) => {
    const headers = body ? {...more, "content-type": "application/json"} : more;
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body), credentials: "omit"});
    const text = await answer.text();
    return {status: answer.status, body: text && JSON.parse(text)};
}"""
CREATE = """async (options) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return (await navigator.credentials.create({publicKey})).toJSON();
}"""
GET = """async (options) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({publicKey})).toJSON();
}"""
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Person:
    """What a page of ours does for its user: requests from its own origin, and the browser's passkeys."""

    def __init__(self, page: Page, origin: str, marketer: Marketer) -> None:
        self.page, self.origin, self.marketer = page, origin, marketer
        self.token = ""

    async def open(self, path: str) -> None:
        """Shows a page, with a fresh start even where only the fragment differs."""
        await self.page.goto("about:blank")
        await self.page.goto(self.origin + path)

    async def ask(
        self, method: str, path: str, expected: int, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """A request by the page's script."""
        said = {"method": method, "path": path, "body": body, "token": self.token, "more": headers or {}}
        answer = await self.page.evaluate(ASK, said)
        assert answer["status"] == expected, f"{method} {path}: {answer}"
        return answer["body"]

    async def gets_authenticator(self) -> None:
        """Chromium's virtual authenticator, which verifies its user."""
        devtools = await self.page.context.new_cdp_session(self.page)
        await devtools.send("WebAuthn.enable")
        await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

    async def enrols_passkey(self, name: str) -> Any:
        """Has the authenticator make a passkey."""
        ceremony = await self.ask("POST", "/api/mfa/passkeys/options", 200)
        credential = await self.page.evaluate(CREATE, ceremony["options"])
        made = {"ceremony_id": ceremony["ceremony_id"], "name": name, "credential": credential}
        return await self.ask("POST", "/api/mfa/passkeys", 201, made)

    async def shows_passkey(self, path: str) -> Any:
        """Signs in, or steps up, with the passkey."""
        ceremony = await self.ask("POST", "/api/auth/login/passkey/options", 200)
        credential = await self.page.evaluate(GET, ceremony["options"])
        answer = await self.ask("POST", path, 200, {"ceremony_id": ceremony["ceremony_id"], "credential": credential})
        self.token = answer["access_token"]
        return answer

    async def signs_in(self, **proof: str) -> Any:
        """Password, then a second factor."""
        marketer, self.token = self.marketer, ""
        form = {"email": marketer.email, "password": marketer.password}
        waiting = await self.ask("POST", "/api/auth/login", 403, form)
        answer = await self.ask("POST", "/api/auth/login/mfa", 200, proof | {"mfa_token": waiting["mfa_token"]})
        self.token = answer["access_token"]
        return answer
