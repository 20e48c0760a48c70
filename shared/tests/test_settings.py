"""Settings come from the environment, are frozen, and refuse an open production."""

from typing import Any

import pytest
from pydantic import ValidationError

from omnify_shared.settings import Settings
from support.lab import LabSettings

TOKENS = {"DAPR_API_TOKEN": "sidecar-token", "APP_API_TOKEN": "app-token"}


def with_environment(monkeypatch: pytest.MonkeyPatch, **values: str) -> LabSettings:
    for name in (*TOKENS, "OMNIFY_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return LabSettings()


def test_the_names_are_those_that_dapr_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_environment(
        monkeypatch, DAPR_HTTP_PORT="3504", DAPR_GRPC_PORT="3604", OMNIFY_LOG_LEVEL="DEBUG", **TOKENS
    )
    assert (made.dapr_http_port, made.dapr_grpc_port, made.log_level) == (3504, 3604, "DEBUG")
    assert made.dapr_api_token is not None
    assert made.dapr_api_token.get_secret_value() == "sidecar-token"


@pytest.mark.parametrize("missing", [("DAPR_API_TOKEN",), ("APP_API_TOKEN",), tuple(TOKENS)])
@pytest.mark.parametrize("blank", [None, "", "   "])
def test_production_needs_both_tokens(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], blank: str | None
) -> None:
    values = {name: value for name, value in TOKENS.items() if name not in missing}
    values |= {name: blank for name in missing if blank is not None}
    with pytest.raises(ValidationError) as refusal:
        with_environment(monkeypatch, OMNIFY_ENVIRONMENT="production", **values)
    for name in missing:
        assert name in str(refusal.value)
    assert "sidecar-token" not in str(refusal.value)
    assert "app-token" not in str(refusal.value)


def test_production_starts_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_environment(monkeypatch, OMNIFY_ENVIRONMENT="production", **TOKENS).environment == "production"


def test_a_blank_token_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_environment(monkeypatch, DAPR_API_TOKEN="", APP_API_TOKEN=" ")
    assert (made.dapr_api_token, made.app_api_token) == (None, None)


def test_tokens_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sidecar-token" not in repr(with_environment(monkeypatch, **TOKENS))


@pytest.mark.parametrize(
    ("name", "value"), [("OMNIFY_ENVIRONMENT", "prod"), ("DAPR_HTTP_PORT", "http"), ("OMNIFY_MAX_BODY_BYTES", "1 MB")]
)
def test_a_wrong_value_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        with_environment(monkeypatch, **{name: value})


def test_settings_are_frozen() -> None:
    made: Any = LabSettings()
    with pytest.raises(ValidationError):
        made.public_url = "http://elsewhere"


def test_settings_without_an_app_id_are_a_mistake() -> None:
    with pytest.raises(TypeError, match="names no app_id"):

        class Nameless(Settings):
            pass


REMOTE = {"DAPR_HTTP_ENDPOINT": "https://dapr.example.com", "DAPR_GRPC_ENDPOINT": "https://dapr.example.com:50001"}


def test_a_remote_sidecar_is_named_by_its_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_environment(monkeypatch, OMNIFY_ENVIRONMENT="production", **TOKENS, **REMOTE)
    assert made.http_api.url == "https://dapr.example.com:443"
    assert (made.grpc_api.authority, made.grpc_api.tls) == ("dapr.example.com:50001", True)


def test_without_endpoints_the_sidecar_is_beside_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = dict.fromkeys(REMOTE, " ")
    made = with_environment(monkeypatch, DAPR_HTTP_PORT="3504", DAPR_GRPC_PORT="3604", **blank)
    assert (made.http_api.url, made.grpc_api.authority) == ("http://127.0.0.1:3504", "127.0.0.1:3604")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"DAPR_GRPC_ENDPOINT": ""}, "together"),
        ({"DAPR_HTTP_ENDPOINT": "http://dapr.example.com"}, "in the clear"),
        ({"DAPR_HTTP_ENDPOINT": "dapr.example.com:443"}, "must look like"),
        ({"DAPR_GRPC_ENDPOINT": "https://user:secret@dapr.example.com"}, "must look like"),
        ({"DAPR_HTTP_ENDPOINT": "https://dapr.example.com/v1.0"}, "must look like"),
    ],
)
def test_endpoints_that_cannot_be_right_are_refused(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason) as refusal:
        with_environment(monkeypatch, OMNIFY_ENVIRONMENT="production", **TOKENS, **(REMOTE | changes))
    assert "secret@" not in str(refusal.value)
