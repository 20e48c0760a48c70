"""What the OpenAPI documents promise, asked at the public door with whatever a generator thinks of."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
)

from omnify_gateway.table import Table
from omnify_local import paths
from omnify_local.journey import JourneyFailed, Marketer
from omnify_shared.testing import Platform

pytestmark = pytest.mark.one_set("what is asked here is the same on all sets")
_CONTRACTS = paths.repository() / "docs" / "contracts" / "openapi"
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")  # tus 1.0


def _document() -> Any:
    """The operations of all services that the public door lets through; their schemas keep apart by the app's name."""
    paths_: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for file in sorted(_CONTRACTS.glob("*.json")):
        text = file.read_text().replace("#/components/schemas/", f"#/components/schemas/{file.stem}.")
        document = json.loads(text)
        paths_ |= {path: item for path, item in document["paths"].items() if Table().find(path.encode())}
        components = document.get("components", {})
        schemas |= {f"{file.stem}.{name}": schema for name, schema in components.pop("schemas", {}).items()}
        shared |= components
    head = {"openapi": "3.1.0", "info": {"title": "Omnify", "version": "1"}}
    return schemathesis.openapi.from_dict(head | {"paths": paths_, "components": shared | {"schemas": schemas}})


services = _document()
SHADOWED = {
    "/api/mfa/passkeys/options",
    "/api/analytics/imports/orders",
    "/api/files/quota",
    "/api/files/uploads",
}  # also what `{id}` of a neighbour matches
OAUTH = {path for path in json.loads((_CONTRACTS / "auth.json").read_text())["paths"] if path.startswith("/oauth/")}
"""Errors as RFC 6749 has them, and pages."""
few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def not_asked(case: Any) -> list[Any]:
    """A schema says what is well formed and not what is so: most links are unknown, most passwords wrong."""
    shadowed = [allow_header_conformance] if case.operation.path in SHADOWED else []
    # tus answers 412 to another version of itself, which is not among the ways to refuse a request that is known there.
    tus = case.operation.path.startswith("/api/files/uploads")
    accepted = [negative_data_rejection] if tus or _vanishes(case.query) else []
    of_oauth = [content_type_conformance, response_schema_conformance] if case.operation.path in OAUTH else []
    return [positive_data_acceptance, *shadowed, *accepted, *of_oauth]


def _vanishes(query: dict[str, Any] | None) -> bool:
    """Whether a query was made wrong by what no address can carry, an empty list or object; it arrives as good."""
    return any(value is None or value in ([], {}, [[]], [{}]) for value in (query or {}).values())


@pytest.fixture(scope="module")
def members(platform: Platform, new_marketer: Callable[..., Marketer]) -> list[Marketer]:
    return [new_marketer().join(platform.inbox)]


@pytest.fixture
def marketer(platform: Platform, new_marketer: Callable[..., Marketer], members: list[Marketer]) -> Marketer:
    """Somebody who is signed in; another one where what was asked before has shut them out."""
    try:
        members[-1].tokens = {}
        members[-1].log_in()
    except JourneyFailed:
        members.append(new_marketer().join(platform.inbox))
    return members[-1]


@services.parametrize()  # type: ignore[untyped-decorator]
@few
def test_services_keep_their_word(case: Any, platform: Platform, marketer: Marketer) -> None:
    headers = {"Authorization": f"Bearer {marketer.tokens['access_token']}"}
    case.call_and_validate(base_url=platform.url, headers=headers, excluded_checks=not_asked(case))


@services.parametrize()  # type: ignore[untyped-decorator]
@few
def test_services_keep_their_word_to_strangers(case: Any, platform: Platform) -> None:
    case.call_and_validate(base_url=platform.url, excluded_checks=not_asked(case))
