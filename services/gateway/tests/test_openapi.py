import httpx2 as httpx
from openapi_spec_validator import validate

from omnify_gateway.openapi import merge

THING = {"type": "object", "properties": {"parent": {"$ref": "#/components/schemas/Thing"}}}

BEARER = {"type": "http", "scheme": "bearer"}


def document(path: str) -> dict:  # type: ignore[type-arg]
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
    operation = {"operationId": "make", "requestBody": {"content": body}, "responses": {"200": {"description": "ok"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": path, "version": "1"},
        "security": [{"bearer": []}],
        "paths": {path: {"post": operation}, "/internal/x": {"get": {"responses": {"200": {"description": "no"}}}}},
        "components": {
            "schemas": {"Thing": THING},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def test_names_of_two_services_do_not_collide() -> None:
    documents = {"auth": document("/api/auth/x"), "files": document("/api/files/x"), "email": None}
    merged = merge(documents, {"auth": ("/api/auth",), "files": ("/api/files",), "email": ("/api/email",)})
    validate(merged)
    assert set(merged["paths"]) == {"/api/auth/x", "/api/files/x"}
    assert set(merged["components"]["schemas"]) == {"auth_Thing", "files_Thing"}
    own = merged["components"]["schemas"]["files_Thing"]["properties"]["parent"]
    assert own == {"$ref": "#/components/schemas/files_Thing"}
    operation = merged["paths"]["/api/auth/x"]["post"]
    assert operation["operationId"] == "auth_make"
    assert operation["security"] == [{"auth_bearer": []}]
    assert merged["x-omnify-unavailable"] == ["email"]


def test_the_gateway_merges_what_its_services_publish(client: httpx.Client) -> None:
    answer = client.get("/openapi.json")
    merged = answer.json()
    validate(merged)
    assert {"/api/auth/things", "/api/analytics/things", "/.well-known/jwks.json"} <= set(merged["paths"])
    assert {"auth_Thing", "analytics_Thing"} <= set(merged["components"]["schemas"])
    assert "files" in merged["x-omnify-unavailable"]
    assert not any(path.startswith(("/internal", "/health")) for path in merged["paths"])
