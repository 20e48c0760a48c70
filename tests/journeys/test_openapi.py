"""What the OpenAPI documents promise, asked at the public door with whatever a generator thinks of."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
)

from omnify_local import paths
from omnify_local.journey import JourneyFailed, Marketer
from omnify_shared.testing import Platform

pytestmark = pytest.mark.guarantee("journeys")
_CONTRACTS = paths.repository() / "docs" / "contracts" / "openapi"


def _document(app_id: str) -> Any:
    """The operations that the public door lets through."""
    document = json.loads((_CONTRACTS / f"{app_id}.json").read_text())
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith("/api/")}
    return schemathesis.openapi.from_dict(document)


auth, analytics, email, files, webhooks = map(_document, ("auth", "analytics", "email", "files", "webhooks"))
SHADOWED = {
    "/api/mfa/passkeys/options",
    "/api/analytics/imports/orders",
    "/api/files/quota",
    "/api/files/uploads",
}  # also what `{id}` of a neighbour matches
few = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def not_asked(case: Any) -> list[Any]:
    """A schema says what is well formed and not what is so: most links are unknown, most passwords wrong."""
    shadowed = [allow_header_conformance] if case.operation.path in SHADOWED else []
    # tus answers 412 to another version of itself, which is not among the ways to refuse a request that is known there.
    tus = [negative_data_rejection] if case.operation.path.startswith("/api/files/uploads") else []
    return [positive_data_acceptance, *shadowed, *tus]


@pytest.fixture(autouse=True)
def on_one_set(set_name: str) -> None:
    if set_name != "local":
        pytest.skip("what is asked here is the same on all sets")


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


@auth.parametrize()  # type: ignore[untyped-decorator]
@few
def test_auth_keeps_its_word(case: Any, platform: Platform, marketer: Marketer) -> None:
    headers = {"Authorization": f"Bearer {marketer.tokens['access_token']}"}
    case.call_and_validate(base_url=platform.url, headers=headers, excluded_checks=not_asked(case))


@auth.parametrize()  # type: ignore[untyped-decorator]
@few
def test_auth_keeps_its_word_to_strangers(case: Any, platform: Platform) -> None:
    case.call_and_validate(base_url=platform.url, excluded_checks=not_asked(case))


@analytics.parametrize()  # type: ignore[untyped-decorator]
@few
def test_analytics_keeps_its_word(case: Any, platform: Platform, marketer: Marketer) -> None:
    headers = {"Authorization": f"Bearer {marketer.tokens['access_token']}"}
    case.call_and_validate(base_url=platform.url, headers=headers, excluded_checks=not_asked(case))


@analytics.parametrize()  # type: ignore[untyped-decorator]
@few
def test_analytics_keeps_its_word_to_strangers(case: Any, platform: Platform) -> None:
    case.call_and_validate(base_url=platform.url, excluded_checks=not_asked(case))


@email.parametrize()  # type: ignore[untyped-decorator]
@few
def test_email_keeps_its_word(case: Any, platform: Platform, marketer: Marketer) -> None:
    headers = {"Authorization": f"Bearer {marketer.tokens['access_token']}"}
    case.call_and_validate(base_url=platform.url, headers=headers, excluded_checks=not_asked(case))


@email.parametrize()  # type: ignore[untyped-decorator]
@few
def test_email_keeps_its_word_to_strangers(case: Any, platform: Platform) -> None:
    case.call_and_validate(base_url=platform.url, excluded_checks=not_asked(case))


@webhooks.parametrize()  # type: ignore[untyped-decorator]
@few
def test_webhooks_keeps_its_word(case: Any, platform: Platform, marketer: Marketer) -> None:
    headers = {"Authorization": f"Bearer {marketer.tokens['access_token']}"}
    case.call_and_validate(base_url=platform.url, headers=headers, excluded_checks=not_asked(case))


@webhooks.parametrize()  # type: ignore[untyped-decorator]
@few
def test_webhooks_keeps_its_word_to_strangers(case: Any, platform: Platform) -> None:
    case.call_and_validate(base_url=platform.url, excluded_checks=not_asked(case))


@files.parametrize()  # type: ignore[untyped-decorator]
@few
def test_files_keeps_its_word(case: Any, platform: Platform, marketer: Marketer) -> None:
    headers = {"Authorization": f"Bearer {marketer.tokens['access_token']}"}
    case.call_and_validate(base_url=platform.url, headers=headers, excluded_checks=not_asked(case))


@files.parametrize()  # type: ignore[untyped-decorator]
@few
def test_files_keeps_its_word_to_strangers(case: Any, platform: Platform) -> None:
    case.call_and_validate(base_url=platform.url, excluded_checks=not_asked(case))
