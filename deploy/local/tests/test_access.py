"""How declarations become daprd's allow lists, and which contradictions are refused."""

from types import SimpleNamespace

import pytest
import yaml
from fastapi import APIRouter, Depends, FastAPI

from omnify_local import paths
from omnify_local.access import __main__ as command
from omnify_local.access import lists
from omnify_local.access.grants import Grant, grants_of
from omnify_local.contracts.services import Service
from omnify_local.errors import LocalError
from omnify_shared.access import OPERATOR, Access, Call, Prefix
from omnify_shared.identity import require_caller

GET = ("GET",)


def service(name: str, *routes: tuple[str, str, tuple[str, ...]], access: Access | None = None) -> Service:
    """A service with routes `(method, path, callers it names)`."""
    app = FastAPI()
    app.state.access = access or Access()
    app.state.platform = SimpleNamespace(uses_state=False)
    router = APIRouter()
    for method, path, callers in routes:
        guards = [Depends(require_caller(*callers))] if callers else []
        router.add_api_route(path, lambda: None, methods=[method], dependencies=guards)
    app.include_router(router)
    return Service(name, app)


def operations(*grants: Grant) -> list[tuple[str, list[str]]]:
    return [(name, sorted(verbs)) for name, verbs in lists.operations_of(grants)]


def test_a_declared_call_and_what_the_operator_may_do_are_granted() -> None:
    mint = Call("auth", "POST", "/internal/{user_id}/token")
    auth = service("auth", ("POST", mint.path, ("email",)), ("GET", "/letters", (OPERATOR,)), ("GET", "/open", ()))
    email = service("email", access=Access(calls=(mint,), prefixes=(Prefix("auth", GET, "/api"),)))
    assert grants_of([auth, email]) == [
        Grant("auth", "email", "/api", GET, prefix=True),
        Grant("auth", "email", mint.path, ("POST",)),
        Grant("auth", OPERATOR, "/letters", GET),
    ]


def test_a_call_that_nobody_serves_is_refused() -> None:
    email = service("email", access=Access(calls=(Call("auth", "GET", "/gone"),)))
    with pytest.raises(LocalError, match="email declares the call GET /gone of auth, which has no such route"):
        grants_of([service("auth"), email])


def test_a_call_that_its_service_refuses_is_refused() -> None:
    email = service("email", access=Access(calls=(Call("auth", "GET", "/inner"),)))
    with pytest.raises(LocalError, match="which lets only analytics call it"):
        grants_of([service("auth", ("GET", "/inner", ("analytics",))), email])


def test_a_door_for_somebody_who_never_comes_is_refused() -> None:
    with pytest.raises(LocalError, match="auth lets email call GET /inner, and email declares it not"):
        grants_of([service("auth", ("GET", "/inner", ("email",))), service("email")])


def test_a_peer_that_does_not_exist_yet_is_left_out() -> None:
    access = Access(calls=(Call("later", "GET", "/x"),), prefixes=(Prefix("later", GET, "/api/later"),))
    assert grants_of([service("gateway", access=access)]) == []


def test_parameters_prefixes_and_nested_paths_as_daprd_reads_them() -> None:
    assert operations(
        Grant("a", "b", "/letters/{id}/replay", ("POST",)),
        Grant("a", "b", "/letters", GET),
        Grant("a", "b", "/mails/{id}/retry", ("POST",)),
        Grant("a", "b", "/mails/{id}", GET),
        Grant("a", "b", "/mails/{id}", ("PUT",)),
        Grant("a", "b", "/plain", GET),
    ) == [
        ("/letters/*", ["GET"]),
        ("/letters/**/replay", ["POST"]),
        ("/mails/*", ["GET", "PUT"]),
        ("/mails/**/retry", ["POST"]),
        ("/plain", ["GET"]),
    ]


def test_a_prefix_takes_in_what_lies_below_it() -> None:
    below, wide = Grant("a", "b", "/api/x/y", GET, prefix=True), Grant("a", "b", "/api/x", GET, prefix=True)
    assert operations(below, wide, Grant("a", "b", "/api/xy", GET)) == [("/api/x/**", ["GET"]), ("/api/xy", ["GET"])]


def test_no_list_leaves_a_protocol_open() -> None:
    """An empty list would open everything, and so would a rule that stands for nothing."""
    for file in sorted((paths.repository() / "deploy" / "secure").glob("*.yaml")):
        spec = yaml.safe_load(file.read_text())["spec"]
        assert {rule["protocol"] for rule in spec["api"]["allowed"]} == {"http", "grpc"}, file.name
        assert spec["accessControl"]["defaultAction"] == "deny"
        assert all(policy["defaultAction"] == "deny" for policy in spec["accessControl"]["policies"])
        fields = {"storeName", "defaultAccess", "allowedSecrets", "deniedSecrets"}
        assert all(set(scope) == fields and scope["defaultAccess"] == "deny" for scope in spec["secrets"]["scopes"])


def test_the_lists_are_what_the_code_makes_and_a_change_shows() -> None:
    made, stored = command.generated(paths.repository()), command.stored(paths.repository())
    assert command.drift(stored, made) == [], "run `make access`"
    name = "deploy/secure/auth.yaml"
    changed = "\n".join(command.drift(stored | {name: stored[name].replace("[GET]", "[GET, PUT]")}, made))
    assert f"stored {name}" in changed
    assert "-        httpVerb: [GET, PUT]" in changed
    assert any(line.startswith("--- stored left.yaml") for line in command.drift({**stored, "left.yaml": "x"}, made))
