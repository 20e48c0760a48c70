"""Every route × every id in its path, query or body × an id of a foreign organisation: 404, and nothing of it is told.

Routes are read off the services' OpenAPI documents, so new ones are asked by themselves; `support.worlds` makes one of
every kind of thing in two organisations, with a marker in every name.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from omnify_gateway.table import Table
from omnify_local import paths
from omnify_shared import clock
from omnify_shared.testing import Platform
from support.worlds import FREE, UNSEEN, World

pytestmark = pytest.mark.guarantee("journeys")
_CONTRACTS = paths.repository() / "docs" / "contracts" / "openapi"
_ALSO_IDS = frozenset({"role", "roles", "cursor"})
Schema = dict[str, Any]
Place = tuple[str, str]

ANSWERS: dict[tuple[str, str, str], set[int]] = {
    # a passkey of somebody else's ceremony is a wrong passkey, as it is for its owner
    ("POST", "/api/auth/login/passkey", "ceremony_id"): {401},
    ("POST", "/api/auth/step-up/passkey", "ceremony_id"): {401},
    ("POST", "/api/mfa/passkeys", "ceremony_id"): {401},
    # how many sessions of the caller's ended: none
    ("DELETE", "/api/sessions/device/{device_id}", "device_id"): {200},
    # what the caller's own token allows; nothing is read
    ("POST", "/api/rbac/permissions/check", "resource_id"): {200},
    # of one's own members: no service has such a resource yet, its id is a name that the organisation gives
    ("POST", "/api/rbac/permissions/resource/grant", "resource_id"): {200},
    ("POST", "/api/rbac/permissions/resource/revoke", "resource_id"): {204},
    # opened by a signed link alone, which names the organisation
    ("GET", "/api/files/{file_id}/content", "file_id"): {422},
    # a role that the organisation does not have is a wrong value
    ("POST", "/api/organizations/{organization_id}/invitations", "role"): {422},
    ("PATCH", "/api/organizations/{organization_id}/members/{user_id}", "roles"): {422},
    # to whom it belongs, or whether it is there, nobody learns without a signature; {provider} is none of them here
    ("POST", "/api/webhooks/in/{provider}/{connection_id}", "connection_id"): {400, 401, 422},
    ("GET", "/api/webhooks/in/{provider}/{connection_id}", "connection_id"): {400, 401, 422},
    # the client has to show its secret: RFC 6749 §5.2
    ("POST", "/oauth/token", "client_id"): {400, 401},
    ("POST", "/oauth/revoke", "client_id"): {400, 401},
    ("POST", "/oauth/introspect", "client_id"): {400, 401},
}
"""What is answered where it is not 404, by method, path and the foreign parameter."""
FOR_APPS = {"/oauth/userinfo"}
CURSOR = {200, 202, 400, 404, 422}
VALUES: dict[str, Any] = {
    "resource_type": "campaign",
    "permission": "campaign:view",
    "permissions": ["campaign:view"],
    "scopes": ["analytics:view"],
    "grant_types": ["client_credentials"],
    "email": "somebody.else@example.com",
}


@dataclass(frozen=True)
class Route:
    """One operation of a service, and where in it ids stand."""

    method: str
    path: str
    operation: Schema
    document: Schema

    @property
    def parameters(self) -> list[Schema]:
        return [self.resolved(one) for one in self.operation.get("parameters", [])]

    @property
    def body(self) -> tuple[str, Schema] | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        return next(((kind, self.resolved(one.get("schema", {}))) for kind, one in content.items()), None)

    def resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema:
            target: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def ids(self) -> list[Place]:
        """Where ids stand: in path, query or body, and under which name."""
        found = [(one["in"], one["name"]) for one in self.parameters if one["in"] in ("path", "query")]
        properties = self.body[1].get("properties", {}) if self.body else {}
        found += [("body", name) for name in properties]
        return [(where, name) for where, name in found if is_id(name)]


def is_id(name: str) -> bool:
    return name == "id" or name.endswith(("_id", "_ids")) or name in _ALSO_IDS


def routes() -> list[Route]:
    """All operations that the gateway lets through."""
    found = []
    for file in sorted(_CONTRACTS.glob("*.json")):
        document = json.loads(file.read_text())
        for path, item in document["paths"].items():
            if Table().find(path.encode()):
                found += [Route(method.upper(), path, operation, document) for method, operation in item.items()]
    return found


ROUTES = routes()


def filled(route: Route, schema: Schema, name: str = "") -> Any:
    """A value that fits a schema, as small as may be."""
    schema = route.resolved(schema)
    if name in VALUES:
        return VALUES[name]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return filled(route, next(one for one in schema[choice] if one.get("type") != "null"), name)
    if "const" in schema or "enum" in schema or "default" in schema:
        return schema.get("const", schema.get("enum", [schema.get("default")])[0])
    match schema.get("type"):
        case "object":
            known = schema.get("properties", {})
            wanted = [*schema.get("required", ()), *(one for one in known if one == "resource_type")]
            return {one: filled(route, known[one], one) for one in wanted if one in known}
        case "array":
            return [filled(route, schema.get("items", {}), name)] * max(1, schema.get("minItems", 0))
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return False
    if schema.get("format") == "date-time":
        return (clock.now() + timedelta(days=1)).isoformat()
    return "x" * max(1, schema.get("minLength", 1))


@dataclass
class Request:
    method: str
    url: str
    query: dict[str, str]
    body: Any
    kind: str | None

    def sent(self, world: World) -> Any:
        headers = {"authorization": f"Bearer {world.owner.tokens['access_token']}", "tus-resumable": "1.0.0"}
        extra: dict[str, Any] = {}
        if self.kind == "application/json":
            extra = {"json": self.body}
        elif self.kind == "application/offset+octet-stream":
            headers |= {"content-type": self.kind, "upload-offset": "0"}
            extra = {"content": self.body}
        elif self.kind:
            extra = {"data": self.body}
        return world.owner.http.request(self.method, self.url, params=self.query, headers=headers, **extra)


def request_of(route: Route, ids: dict[Place, str]) -> Request:
    """The route's request with these ids, and what else it wants."""
    url, query = route.path, {}
    for (where, name), value in ids.items():
        if where == "path":
            url = url.replace(f"{{{name}}}", value)
        elif where == "query":
            query[name] = value
    kind, body = None, None
    if route.body:
        kind, schema = route.body
        body = filled(route, schema)
        for (where, name), value in ids.items():
            if where == "body" and isinstance(body, dict):
                many = route.resolved(schema["properties"][name])
                body[name] = [value] if "array" in json.dumps(many) else value
    return Request(route.method, url, query, body, kind)


def mixes(route: Route) -> Iterator[frozenset[Place]]:
    """Which of a route's ids are foreign: each of them, and all that can be together."""
    ids = route.ids()
    for count in range(1, len(ids) + 1):
        for chosen in itertools.combinations(ids, count):
            yield frozenset(chosen)


@pytest.fixture(scope="module")
def worlds(platform: Platform) -> Iterator[tuple[World, World]]:
    made = [World(platform.url, platform.inbox, set(platform.services)) for _ in range(2)]
    yield made[0], made[1]
    for one in made:
        one.close()


def test_every_parameter_has_something_that_it_names(worlds: tuple[World, World]) -> None:
    named = {name for route in ROUTES for _, name in route.ids()}
    assert len(ROUTES) > 60
    assert named >= {"organization_id", "user_id", "role_id", "client_id", "key_id", "session_id", "import_id"}
    assert sorted(named - worlds[0].ids.keys() - FREE) == [], "make one in tests/support/worlds.py"


def test_what_is_made_is_there_for_its_owner(worlds: tuple[World, World]) -> None:
    """Or the grid would only show that made-up ids are unknown."""
    for world in worlds:
        wrong, seen = [], ""
        for route in ROUTES:
            if route.method != "GET" or not route.operation.get("security") or route.path in FOR_APPS:
                continue
            ids = {(where, name): world.ids[name] for where, name in route.ids() if where == "path"}
            answer = request_of(route, ids).sent(world)
            seen += answer.text
            if answer.status_code != 200 and "from" not in json.dumps(route.parameters):
                wrong.append((route.path, answer.status_code, answer.text[:200]))
        assert wrong == []
        assert [name for name, value in world.ids.items() if name not in UNSEEN and value not in seen] == []


def test_foreign_ids_are_not_there_and_tell_nothing(worlds: tuple[World, World], platform: Platform) -> None:
    own, foreign = worlds
    wrong, leaks, asked = [], [], 0
    for route in ROUTES:
        for away in mixes(route):
            ids = {place: (foreign if place in away else own).ids.get(place[1], "0") for place in route.ids()}
            answer, asked = request_of(route, ids).sent(own), asked + 1
            wanted = {404}
            for _, name in away:
                wanted |= CURSOR if name == "cursor" else ANSWERS.get((route.method, route.path, name), set())
            if answer.status_code not in wanted:
                wrong.append((route.method, route.path, sorted(away), answer.status_code, answer.text[:160]))
            told = answer.text + json.dumps(list(answer.headers.items()))
            sent = {ids[place] for place in away}
            if any(secret in told for secret in secrets_of(foreign) - sent):
                leaks.append((route.method, route.path, sorted(away)))
    assert wrong == []
    assert leaks == []
    assert asked > 40


def test_lists_show_only_ones_own(worlds: tuple[World, World]) -> None:
    own, foreign = worlds
    for route in ROUTES:
        if route.method == "GET":
            ids = {(where, name): own.ids[name] for where, name in route.ids() if where == "path"}
            answer = request_of(route, ids).sent(own)
            assert answer.status_code < 500
            told = answer.text + json.dumps(list(answer.headers.items()))
            assert not [secret for secret in secrets_of(foreign) if secret in told], route.path


def test_what_was_asked_changed_nothing_of_the_foreign_ones(worlds: tuple[World, World]) -> None:
    test_what_is_made_is_there_for_its_owner((worlds[1], worlds[0]))


def test_no_name_of_any_organisation_is_in_a_log(worlds: tuple[World, World], platform: Platform) -> None:
    logs = [file for file in platform.home.logs.rglob("*") if file.is_file()]
    assert logs
    told = [(file.name, world.marker) for file in logs for world in worlds if world.marker in file.read_text()]
    assert told == []


def secrets_of(world: World) -> set[str]:
    """What of a world no other one may see: its names, and the ids of its things."""
    return {world.marker} | {value for name, value in world.ids.items() if name not in FREE}
