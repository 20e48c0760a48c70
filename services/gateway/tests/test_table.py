import pytest

from omnify_gateway.table import ROUTES, Route, Table

OWNERS = {
    "auth": {
        "/api/api-keys",
        "/api/oauth",
        "/api/audit",
        "/api/auth",
        "/api/legal",
        "/api/mfa",
        "/api/organizations",
        "/api/rbac",
        "/api/sessions",
    },
    "integrations": {"/api/integrations"},
    "agentkit": {"/api/agentkit", "/api/workflows"},
    "analytics": {"/api/analytics", "/api/brain"},
    "onboarding": {"/api/client-onboarding", "/api/onboarding"},
    "email": {"/api/email"},
    "files": {"/api/files"},
    "webhooks": {"/api/webhooks"},
}


def found(table: Table, path: str) -> Route:
    route = table.find(path.encode())
    assert route is not None
    return route


def test_every_public_prefix_of_the_platform_has_its_owner() -> None:
    owned = Table().prefixes
    assert owned.keys() == OWNERS.keys()
    for app_id, prefixes in OWNERS.items():
        assert {p for p in owned[app_id] if p.startswith("/api/") and p.count("/") == 2} == prefixes


def test_the_longest_prefix_wins_and_ends_at_a_segment() -> None:
    table = Table()
    assert found(table, "/api/analytics/imports/orders").limits.body == 64 * 1024 * 1024
    assert found(table, "/api/analytics/overview").limits.body == 1024 * 1024
    assert found(table, "/api/analytics/imports-of-old").limits.body == 1024 * 1024


@pytest.mark.parametrize(
    "path", [b"/", b"/api", b"/api/", b"/api/authority", b"/api/auth2/x", b"/API/auth", b"/internal/x"]
)
def test_other_paths_belong_to_nobody(path: bytes) -> None:
    assert Table().find(path) is None


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.prefix)
def test_a_prefix_covers_itself_and_all_below(route: Route) -> None:
    table = Table()
    for path in (route.prefix, route.prefix + "/", route.prefix + "/a/b"):
        assert found(table, path).app_id == route.app_id
