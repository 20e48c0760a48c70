"""Apps of an organisation and their tokens in their own name, on real sidecars."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import jwt
import pytest

from omnify_auth.redirects import fault, is_registered

WORKER = {"name": "Worker", "grant_types": ["client_credentials"], "scopes": ["analytics:view", "org:admin"]}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


class Owner:
    """Somebody who administers an organisation."""

    def __init__(self, lab: Any, who: dict[str, Any]) -> None:
        self.lab, self.who = lab, who

    @classmethod
    async def new(cls, lab: Any) -> "Owner":
        return cls(lab, await lab.signed_in())

    async def ask(self, method: str, path: str = "", **body: Any) -> httpx.Response:
        extra = {"json": body} if method in ("POST", "PATCH") else {}
        url = f"/api/oauth/clients{path}"
        answer: httpx.Response = await self.lab.auth.http.request(
            method, url, headers=bearer(self.who["access_token"]), **extra
        )
        return answer

    async def client(self, **fields: Any) -> dict[str, Any]:
        answer = await self.ask("POST", **(WORKER | fields))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


async def token(lab: Any, client: dict[str, Any], **form: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", **form}
    auth = (client["client_id"], client["client_secret"])
    answer: httpx.Response = await lab.auth.http.post("/oauth/token", data=form, auth=auth)
    return answer


async def test_an_app_gets_a_token_of_its_organisation_within_its_scopes(lab: Any) -> None:
    owner = await Owner.new(lab)
    client = await owner.client()
    answer = await token(lab, client, scope="org:admin")
    body = answer.json()
    assert (answer.status_code, body["token_type"], body["scope"]) == (200, "Bearer", "org:admin")
    assert answer.headers["cache-control"] == "no-store"
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert claims["sub"] == claims["client_id"] == client["client_id"]
    assert claims["org"] == owner.who["user"]["organization_id"]
    assert (await lab.auth.get("/api/audit", body["access_token"])).status_code == 200
    narrow = (await token(lab, client, scope="analytics:view")).json()["access_token"]
    assert (await lab.auth.get("/api/audit", narrow)).status_code == 403
    everything = (await token(lab, client)).json()
    assert set(everything["scope"].split()) == {"analytics:view", "org:admin"}


async def test_an_app_may_not_do_what_people_do_themselves(lab: Any) -> None:
    client = await (await Owner.new(lab)).client()
    text = (await token(lab, client)).json()["access_token"]
    for path in ("/api/auth/me", "/api/sessions", "/api/mfa/status", "/api/oauth/clients", "/api/api-keys"):
        answer = await lab.auth.get(path, text)
        assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (403, "not-for-apps"), path


async def test_who_does_not_show_the_secret_gets_nothing(lab: Any) -> None:
    owner = await Owner.new(lab)
    client, other = await owner.client(), await owner.client()
    forms: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"client_id": client["client_id"], "client_secret": other["client_secret"]}, {}),
        ({"client_id": client["client_id"]}, {}),
        ({"client_id": "nobody", "client_secret": "x"}, {}),
        ({}, {}),
        ({}, {"authorization": "Basic ???"}),
        ({"client_secret": client["client_secret"]}, {"authorization": "Basic " + b64encode(b"a:b").decode()}),
    ]
    for form, headers in forms:
        sent = {"grant_type": "client_credentials", **form}
        answer = await lab.auth.http.post("/oauth/token", data=sent, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), form
        assert answer.headers["www-authenticate"].startswith("Basic")
    wrong: list[tuple[dict[str, str], str]] = [
        ({"scope": "user:delete"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
    ]
    for form, error in wrong:
        answer = await token(lab, client, **form)
        assert (answer.status_code, answer.json()["error"]) == (400, error), form
    twice = "grant_type=client_credentials&scope=org:admin&scope=org:admin"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await lab.auth.http.post("/oauth/token", content=twice, headers=kind)
    assert answer.json()["error"] == "invalid_request"
    assert (await lab.auth.http.post("/oauth/token", json={})).json()["error"] == "invalid_request"


async def test_a_client_is_shown_changed_and_deleted_within_its_organisation_alone(lab: Any) -> None:
    owner, stranger = await Owner.new(lab), await Owner.new(lab)
    client = await owner.client(redirect_uris=["https://app.example.com/back"])
    path = f"/{client['client_id']}"
    shown = (await owner.ask("GET", path)).json()
    assert shown == {name: value for name, value in client.items() if name != "client_secret"}
    assert (await owner.ask("GET")).json()["clients"] == [shown]
    assert (await stranger.ask("GET")).json()["clients"] == []
    for method, tail in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/secret")):
        assert (await stranger.ask(method, path + tail)).status_code == 404
    assert (await owner.ask("PATCH", path, name="Renamed")).json()["name"] == "Renamed"
    assert (await owner.ask("DELETE", path)).status_code == 204
    for method in ("GET", "DELETE", "PATCH"):
        assert (await owner.ask(method, path)).status_code == 404
    assert (await token(lab, client)).status_code == 401


async def test_what_a_client_may_be(lab: Any) -> None:
    owner = await Owner.new(lab)
    bad: list[dict[str, Any]] = [
        {"grant_types": ["authorization_code"], "redirect_uris": []},
        {"grant_types": ["refresh_token"]},
        {"grant_types": ["password"]},
        {"grant_types": []},
        {"public": True},
        {"scopes": ["everything"]},
        {"redirect_uris": ["http://app.example.com/back"]},
        {"secrets": []},
    ]
    for fields in bad:
        assert (await owner.ask("POST", **(WORKER | fields))).status_code == 422, fields
    public = await owner.client(
        public=True, grant_types=["authorization_code"], redirect_uris=["http://127.0.0.1/back"], scopes=["openid"]
    )
    assert public["client_secret"] is None
    assert (await owner.ask("POST", f"/{public['client_id']}/secret")).status_code == 409


async def test_a_secret_is_rotated_with_overlap_or_at_once(lab: Any, travel: Callable[[timedelta], None]) -> None:
    owner = await Owner.new(lab)
    first = await owner.client()
    path = f"/{first['client_id']}/secret"
    second = (await owner.ask("POST", path)).json()
    assert [(await token(lab, one)).status_code for one in (first, second)] == [200, 200]
    third = (await owner.ask("POST", path, overlap=False)).json()
    assert [(await token(lab, one)).status_code for one in (first, second, third)] == [401, 401, 200]
    fourth = (await owner.ask("POST", path)).json()
    travel(timedelta(hours=25))
    assert [(await token(lab, one)).status_code for one in (third, fourth)] == [401, 200]


async def test_less_for_a_client_and_its_end_are_felt_by_every_replica(lab: Any) -> None:
    owner = await Owner.new(lab)
    client = await owner.client()
    async with lab.another() as other:
        text, ended = [(await token(lab, client)).json()["access_token"] for _ in range(2)]
        assert (await other.get("/api/audit", ended)).status_code == 200
        who = (client["client_id"], client["client_secret"])
        assert (await lab.auth.http.post("/oauth/revoke", data={"token": ended}, auth=who)).status_code == 200
        await refused(other, ended, "unauthorized")
        assert (await other.get("/api/audit", text)).status_code == 200
        assert (await owner.ask("PATCH", f"/{client['client_id']}", scopes=["org:admin"])).status_code == 200
        await refused(other, text, "token-outdated")
        text = (await token(lab, client)).json()["access_token"]
        assert (await other.get("/api/audit", text)).status_code == 200
        assert (await owner.ask("DELETE", f"/{client['client_id']}")).status_code == 204
        await refused(other, text, "token-outdated")


async def test_an_app_ends_and_looks_at_tokens_of_its_own_alone(lab: Any) -> None:
    owner = await Owner.new(lab)
    client, other = await owner.client(), await owner.client()
    kept, ended = [(await token(lab, client)).json()["access_token"] for _ in range(2)]

    async def post(path: str, who: dict[str, Any], text: str | None) -> httpx.Response:
        form, auth = {} if text is None else {"token": text}, (who["client_id"], who["client_secret"])
        kind = {"content-type": "application/x-www-form-urlencoded"}
        answer: httpx.Response = await lab.auth.http.post(f"/oauth/{path}", data=form, auth=auth, headers=kind)
        return answer

    shown = (await post("introspect", client, ended)).json()
    claims = jwt.decode(ended, options={"verify_signature": False})
    assert shown["active"] is True
    for name in ("client_id", "sub", "iat", "exp", "iss", "aud"):
        assert shown[name] == claims[name], name
    assert set(shown["scope"].split()) == {"analytics:view", "org:admin"}
    for who, text in ((other, ended), (client, "nonsense"), (client, owner.who["access_token"])):
        assert (await post("introspect", who, text)).json() == {"active": False}
        assert (await post("revoke", who, text)).status_code == 200
    assert (await lab.auth.get("/api/audit", ended)).status_code == 200
    assert (await post("revoke", client, ended)).status_code == 200
    assert (await post("introspect", client, ended)).json() == {"active": False}
    await refused(lab.auth, ended, "unauthorized")
    assert (await lab.auth.get("/api/audit", kept)).status_code == 200
    assert (await lab.auth.get("/api/auth/me", owner.who["access_token"])).status_code == 200
    wrong = other | {"client_secret": client["client_secret"]}
    for path in ("revoke", "introspect"):
        assert (await post(path, wrong, kept)).json()["error"] == "invalid_client"
        assert (await post(path, client, None)).json()["error"] == "invalid_request"


async def refused(replica: Any, text: str, slug: str, path: str = "/api/audit") -> None:
    deadline = time.monotonic() + 30
    while (answer := await replica.get(path, text)).status_code == 200:
        assert time.monotonic() < deadline, "still accepted"
        await asyncio.sleep(0.1)
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (401, slug)


REGISTERED = ("https://app.example.com/back", "http://127.0.0.1:8123/back", "http://localhost:9/back")


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("https://app.example.com/back", True),
        ("http://127.0.0.1:40000/back", True),
        ("http://127.0.0.1/back", True),
        ("http://localhost:10/back", False),
        ("https://app.example.com/back/", False),
        ("https://app.example.com/back?x=1", False),
        ("https://app.example.com/back#x", False),
        ("https://app.example.com/Back", False),
        ("https://APP.example.com/back", False),
        ("https://app.example.com:443/back", False),
        ("https://app.example.com@evil.example/back", False),
        ("https://app.example.com.evil.example/back", False),
        ("https://app.example.com/back/../evil", False),
        ("https://app.example.com/back%2f..", False),
        ("https://app.example.com//back", False),
        ("http://app.example.com/back", False),
        ("http://user@127.0.0.1:1/back", False),
        ("http://127.0.0.1:1/back#x", False),
        ("http://127.0.0.1:99999/back", False),
        ("http://127.0.0.1.evil.example:1/back", False),
        ("//app.example.com/back", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_redirects_match_to_the_letter(uri: str, good: bool) -> None:
    assert is_registered(uri, REGISTERED) is good


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.com/", "https://*.example.com/", "https://a.example/#f", "https://u:p@a.example/", "app:/x",
        "https:///x", "https://a.example:x/", "https://a.example/ b", "https://a.example/\u00e9", "javascript:1",
        "https://a.example/" + "x" * 512, "https://a.example\\@b.example/",
    ],
)  # fmt: skip
def test_what_can_not_be_registered(uri: str) -> None:
    assert fault(uri)
