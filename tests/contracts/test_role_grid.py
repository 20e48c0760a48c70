"""Every route × every kind of caller × their own and a foreign organisation: who lacks what is needed is refused.

Routes and needs are those that `docs/contracts/permissions.md` is made of, so a new route or service is in the grid by
itself. The apps run without a sidecar: who is let through comes as far as the missing store, or a wrong body.
"""

import importlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext

from omnify_gateway.table import Table
from omnify_local import paths
from omnify_local.contracts import services
from omnify_local.contracts.routes import need_of
from omnify_shared import identity, openapi
from omnify_shared.ids import new_id
from omnify_shared.permissions import PERMISSIONS, ROLES
from support.tokens import Signer, bearer

HOME, AWAY = new_id(), new_id()
USER, APP = new_id(), new_id()
ODD = frozenset({"org:edit", "analytics:view", "user:invite"})
SCOPES = frozenset({"analytics:view", "org:admin"})
LONG_AGO = int(time.time()) - 3600
ANYONE = frozenset(
    {
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/api/auth/change-email/confirm",
        "/api/auth/erasures/{erasure_id}",
        "/api/auth/login",
        "/api/auth/login/mfa",
        "/api/auth/login/mfa/recovery",
        "/api/auth/login/passkey",
        "/api/auth/login/passkey/options",
        "/api/auth/mfa-recovery/confirm",
        "/api/auth/password-reset",
        "/api/auth/password-reset/confirm",
        "/api/auth/refresh",
        "/api/auth/register",
        "/api/auth/verify-email",
        "/api/auth/verify-email/resend",
        "/api/email/events/sendgrid",
        "/api/email/unsubscribe/{token}",
        "/api/files/uploads",
        "/api/files/{file_id}/content",
        "/api/legal/cookie",
        "/api/legal/privacy",
        "/api/legal/terms",
        "/api/organizations/invitations/preview",
        "/api/organizations/invitations/register",
        "/oauth/authorize",
        "/oauth/authorize/consent",
        "/oauth/authorize/other-account",
        "/oauth/authorize/passkey",
        "/oauth/authorize/passkey.js",
        "/oauth/authorize/second-step",
        "/oauth/authorize/sign-in",
        "/api/webhooks/in/{provider}/{connection_id}",
        "/oauth/introspect",
        "/oauth/logout",
        "/oauth/revoke",
        "/oauth/token",
    }
)
"""Who asks here is nobody yet, or shows a secret of another kind. A new one is looked at before it stands here."""


@dataclass(frozen=True)
class Asker:
    """A kind of caller: the claims of its token, the permissions that it has, and how far it comes without any."""

    name: str
    claims: dict[str, Any]
    permissions: frozenset[str]
    is_person: bool = True
    limited: bool = False
    fresh: bool = True


ASKERS = (
    *(Asker(role, {"roles": [role]}, permissions) for role, permissions in ROLES.items()),
    Asker("without a role", {"roles": []}, frozenset()),
    Asker("an organisation's own role", {"roles": [new_id()], "perms": sorted(ODD)}, ODD),
    Asker("a role of no organisation", {"roles": ["root"], "perms": ["root:all"]}, frozenset()),
    Asker("who must enrol", {"roles": ["owner"], "mfa_enrolment_required": True}, PERMISSIONS, limited=True),
    Asker("an owner of an hour ago", {"roles": ["owner"], "auth_time": LONG_AGO}, PERMISSIONS, fresh=False),
    Asker("an app", {"sub": APP, "client_id": APP, "roles": [], "scope": " ".join(SCOPES)}, SCOPES, is_person=False),
    Asker("an app without scopes", {"sub": APP, "client_id": APP, "roles": []}, frozenset(), is_person=False),
    Asker(
        "an app that knows its user", {"client_id": APP, "roles": ["owner"], "scope": "openid"},
        frozenset(), is_person=False,
    ),
    Asker(
        "an owner's API key", {"client_id": new_id(), "roles": ["owner"], "scope": "user:view"},
        frozenset({"user:view"}), is_person=False,
    ),
    Asker(
        "a viewer's API key", {"client_id": new_id(), "roles": ["viewer"], "scope": " ".join(sorted(PERMISSIONS))},
        ROLES["viewer"], is_person=False,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A route as one method of it."""

    method: str
    path: str
    calls: frozenset[Any]

    @property
    def permissions(self) -> set[str]:
        return {call.permission for call in self.calls if hasattr(call, "permission")}

    def refuses(self, asker: Asker) -> tuple[int, str] | None:
        """Status and problem type that a caller is to get here; None for who may."""
        enrolled_only = {identity.current_principal, identity.scoped_principal} & self.calls
        only_people = {identity.current_principal, identity.limited_principal} & self.calls
        if not asker.is_person and only_people:
            return 403, "not-for-apps"
        if asker.limited and enrolled_only:
            return 403, "mfa-enrolment-required"
        if self.path == "/oauth/userinfo" and asker.claims.get("scope") != "openid":
            return 403, "insufficient-scope"
        if self.permissions - asker.permissions:
            return 403, "forbidden"
        if not asker.fresh and {identity.fresh, identity.fresh_limited} & self.calls:
            return 401, "reauthentication-required"
        return None

    def url(self, organization_id: str) -> str:
        return openapi_url(self.path, organization_id)


def openapi_url(path: str, organization_id: str) -> str:
    parts = path.split("/")
    return "/".join(
        (organization_id if "organization_id" in part else new_id()) if part.startswith("{") else part for part in parts
    )


@dataclass
class Served:
    name: str
    app: FastAPI
    http: httpx.AsyncClient
    signer: Signer

    def routes(self) -> Iterator[tuple[RouteContext, str]]:
        for route in openapi.api_routes(self.app):
            yield route, need_of(route, self.app)

    def cells(self) -> list[Cell]:
        """The routes for who has signed in."""
        return [
            Cell(method, str(route.path), frozenset(openapi.dependencies(route.dependant)))
            for route, _ in self.routes()
            if not identity.SIGNED_IN.isdisjoint(openapi.dependencies(route.dependant))
            for method in sorted(route.methods or ())
        ]

    async def asked(self, cell: Cell, organization_id: str, token: str | None) -> tuple[int, str]:
        body: dict[str, Any] | None = None if cell.method in ("GET", "DELETE") else {}
        headers = bearer(token) if token else {}
        answer = await self.http.request(cell.method, cell.url(organization_id), headers=headers, json=body)
        text = answer.headers.get("content-type", "")
        return answer.status_code, (
            str(answer.json()["type"]).rsplit("/")[-1] if "problem" in text and answer.content else ""
        )


NAMES = sorted(
    folder.name
    for folder in (paths.repository() / "services").iterdir()
    if (folder / f"omnify_{folder.name}" / "app.py").exists() and folder.name != "gateway"
)


BARRED = {(404, "not-found"), (422, "invalid-payload"), (503, "sidecar-unavailable")}


@pytest.fixture(scope="module", params=NAMES)
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    name, signer = str(request.param), Signer()
    with services._plain_environment(name):
        app = services._fastapi(importlib.import_module(f"omnify_{name}.app").create_app())
    async with app.router.lifespan_context(app):
        platform = app.state.platform
        known = identity.Identity(signer.source, platform.identity.revocations)
        app.state.platform = replace(platform, identity=known)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
            yield Served(name, app, http, signer)


async def test_every_caller_gets_exactly_what_a_route_allows(served: Served) -> None:
    wrong = []
    for asker in ASKERS:
        token = served.signer.token(**({"sub": USER, "org": HOME} | asker.claims))
        for cell in served.cells():
            got, wanted = await served.asked(cell, HOME, token), cell.refuses(asker)
            if wanted and cell.method == "HEAD":
                wanted = wanted[0], ""  # an answer without a body
            if (got != wanted) if wanted else (got[0] in (401, 403) or got[0] == 500):
                wrong.append((asker.name, cell.method, cell.path, got, wanted))
    assert wrong == []


async def test_nobody_does_anything_in_an_organisation_they_are_not_at_work_in(served: Served) -> None:
    """The body is mostly wrong too, and a switch asks the store: what matters is that nothing is let through."""
    token = served.signer.token(sub=USER, org=HOME, roles=["owner"])
    wrong = []
    for cell in served.cells():
        if "{organization_id" in cell.path:
            status, kind = await served.asked(cell, AWAY, token)
            if (status, kind) not in BARRED:
                wrong.append((cell.method, cell.path, status, kind))
    assert wrong == []


async def test_without_a_token_nothing_is_open_but_what_is_listed(served: Served) -> None:
    wrong = [
        (cell.method, cell.path)
        for cell in served.cells()
        for token in (None, "not a token", Signer().token(roles=["owner"]))
        if (await served.asked(cell, HOME, token))[0] != 401
    ]
    assert wrong == []
    open_ones = {str(route.path) for route, need in served.routes() if need == "anyone"}
    assert open_ones <= ANYONE


async def test_what_is_not_for_people_is_not_reached_from_outside(served: Served) -> None:
    inner = [str(route.path) for route, need in served.routes() if need.startswith(("caller", "operators", "the side"))]
    assert [path for path in inner if Table().find(path.encode())] == []


async def test_a_peers_route_refuses_people_and_other_apps(served: Served) -> None:
    token, wrong = served.signer.token(sub=USER, org=HOME, roles=["owner"]), []
    for route, need in served.routes():
        if not need.startswith("caller"):
            continue
        for callers in ((), ("somebody",), ("somebody", need.removeprefix("caller ").split(", ")[0])):
            headers = [*bearer(token).items(), *(("dapr-caller-app-id", caller) for caller in callers)]
            url = openapi_url(str(route.path), HOME)
            for method in sorted(route.methods or ()):
                answer = await served.http.request(method, url, headers=headers)
                if answer.status_code != 403:
                    wrong.append((method, route.path, callers, answer.status_code))
    assert wrong == []


def test_the_grid_is_as_large_as_the_platform() -> None:
    assert {"auth", "analytics"} <= set(NAMES)
    assert len(ASKERS) >= 14
