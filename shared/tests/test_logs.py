"""Logs are one JSON object a line and hold no secrets."""

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx2 as httpx
import jwt
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from omnify_shared import context, logs
from omnify_shared.logs import MASK

NAMES = [
    "password", "token", "access_token", "refresh-token", "refreshToken", "accessToken", "Authorization", "set-cookie",
    "cookie", "api_key", "apiKey", "x-api-key", "APIKEY", "dapr-api-token", "client_secret", "clientSecret", "pepper",
    "auth-pepper", "credentials", "new_password", "passwords", "DB_PASSWORD", "private_key", "passphrase", "passwd",
]  # fmt: skip
HARMLESS = ["keyboard", "secretary", "monkey", "status", "path", "key", "partition_key"]
SECRETS = st.text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_", min_size=12, max_size=40)


@contextlib.contextmanager
def logged() -> Iterator[Callable[[], str]]:
    """What the loggers write while configured as in a service."""
    root = logging.getLogger()
    before, level, stream = root.handlers[:], root.level, io.StringIO()
    config = structlog.get_config()
    logs.configure("lab", "info")
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    try:
        yield stream.getvalue
    finally:
        root.handlers[:], root.level = before, level
        structlog.configure(**config)


def written(write: Callable[[], Any]) -> str:
    with logged() as text:
        write()
    found = text()
    for line in found.splitlines():
        assert isinstance(json.loads(line), dict)
    assert found
    return found


def raising(error: Exception) -> Callable[[], None]:
    def write() -> None:
        try:
            raise error
        except Exception:
            structlog.get_logger().exception("it failed")

    return write


@settings(max_examples=80, deadline=None)
@given(secret=SECRETS, name=st.sampled_from(NAMES))
def test_a_value_under_a_sensitive_name_is_masked(secret: str, name: str) -> None:
    def write() -> None:
        log = structlog.get_logger()
        for value in (secret, [secret], {"inner": secret}, (secret, 1), secret.encode(), {"deep": [{"er": secret}]}):
            log.info("said", **{name: value})
            log.info("said", outer={"list": [{name: value}]})

    assert secret not in written(write)


def forms(secret: str) -> list[str]:
    """Texts that give a secret away by their look."""
    token = jwt.encode({"sub": secret}, secret.ljust(32, "x"), algorithm="HS256")
    return [
        f"Bearer {secret}",
        f"bearer  {secret}",
        f'{{"authorization":"Bearer {secret}"}}',
        f"Basic {secret}",
        token,
        f"sent {token}, refused",
        f"redis://user:{secret}@10.0.0.1:6379/0",
        f"redis://:{secret}@10.0.0.1:6379/0",
        f"mongodb+srv://me:{secret}@db.example.com/x",
        f"https://shop.example.com/verify-email#token={secret}",
        f"GET /callback?code=1&access_token={secret}&x=1",
        f"password={secret}",
        f"password: {secret}",
        f"{{'client_secret': '{secret}', 'a': 1}}",
        f'{{"refresh_token": "{secret}"}}',
    ]


@given(secret=SECRETS)
@settings(max_examples=40, deadline=None)
def test_a_secret_is_known_by_its_look(secret: str) -> None:
    for text in forms(secret):

        def write(text: str = text) -> None:
            log = structlog.get_logger()
            log.info(text)
            log.info("said", note=text)
            log.info("said", note={"list": [text]})
            log.info("said", note={text: 1})
            log.info("said", note=ValueError(text))
            log.info("said", note=text.encode())
            logging.getLogger("other").warning("said %s", text)
            raising(RuntimeError(text))()

        found = written(write)
        assert len(found.splitlines()) == 8
        assert secret not in found, text
        assert text not in found


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_fields_stay_readable(name: str) -> None:
    assert json.loads(written(lambda: structlog.get_logger().info("said", **{name: "a value"})))[name] == "a value"


def test_harmless_texts_stay_readable() -> None:
    texts = [
        "GET http://127.0.0.1:8000/api/auth/me took 3 ms", "the bearer of this is known", "eyes on the prize",
        "user@example.com", "at 12:30@home", "secret 'auth-pepper' can't be read (INTERNAL)",
        "the access token has expired", "Idempotency-Key: 1 to 255 characters",
    ]  # fmt: skip

    def say(text: str) -> None:
        structlog.get_logger().info(text)

    kept = [json.loads(written(partial(say, text)))["event"] for text in texts]
    assert [text for text, found in zip(texts, kept, strict=True) if found != text and "bearer" not in text] == []
    assert MASK in kept[1], "rather one word too many"


def test_a_line_carries_app_level_time_and_the_request() -> None:
    def write() -> None:
        context.enter(context.RequestContext("order-1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01"))
        structlog.get_logger().warning("said", answer=42)
        context._context.set(None)

    line = json.loads(written(write))
    assert line.pop("timestamp").endswith("Z")
    expected = {"event": "said", "level": "warning", "answer": 42, "app": "lab", "request_id": "order-1"}
    assert line == expected | {"trace_id": "a" * 32}


def test_odd_values_make_a_line_and_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    odd = {"nan": float("nan"), "lone": "\ud800", "bytes": b"\xff", "set": {1}, "keys": {(1, 2): 3, None: 4, b"k": 5}}
    found = written(lambda: structlog.get_logger().info("said", **odd))
    assert json.loads(found, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["event"] == "said"
    assert "Logging error" not in capfd.readouterr().err


async def test_a_request_is_logged_without_its_body_or_token(
    alone: httpx.AsyncClient, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    with logged() as text:
        await alone.post(
            "/echo?token=query-secret-77", json={"name": "body-secret-77"}, headers={"authorization": "Bearer abc77"}
        )
        await alone.get("/crash")
    out = text() + capfd.readouterr().out
    lines = [json.loads(line) for line in out.splitlines()]
    access = {line["route"]: line for line in lines if line["event"] == "request"}
    assert access["/echo"].items() >= {"method": "POST", "status": 200, "app": "lab", "level": "info"}.items()
    assert access["/crash"]["status"] == 500
    assert access["/echo"]["request_id"] != access["/crash"]["request_id"]
    for hidden in ("query-secret-77", "body-secret-77", "abc77", "hunter2"):
        assert hidden not in out
