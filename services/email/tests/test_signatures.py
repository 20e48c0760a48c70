"""SendGrid's signature: good, altered, stale, wrong key, re-encoded."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from omnify_email.signatures import WINDOW, public_keys, signed

NOW = datetime(2026, 11, 23, 16, tzinfo=UTC)
BODY = b'[{"event":"delivered", "sg_event_id":"1"}]\r\n'
STAMP = str(int(NOW.timestamp()))


def key_and_text(curve: ec.EllipticCurve | None = None) -> tuple[ec.EllipticCurvePrivateKey, str]:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key, base64.b64encode(public).decode()


def sign(key: ec.EllipticCurvePrivateKey, body: bytes = BODY, stamp: str = STAMP) -> str:
    return base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()


def test_the_very_bytes_with_their_time_are_believed() -> None:
    key, text = key_and_text()
    assert signed(public_keys(text), BODY, sign(key), STAMP, NOW)


def test_while_one_key_follows_another_both_count() -> None:
    old, old_text = key_and_text()
    new, new_text = key_and_text()
    for key in (old, new):
        assert signed(public_keys(f"{new_text} {old_text}"), BODY, sign(key), STAMP, NOW)


@pytest.mark.parametrize("body", [BODY.strip(), json.dumps(json.loads(BODY)).encode(), BODY + b" ", b""])
def test_altered_and_encoded_anew_bytes_are_not(body: bytes) -> None:
    key, text = key_and_text()
    assert not signed(public_keys(text), body, sign(key), STAMP, NOW)


@pytest.mark.parametrize("seconds", [-WINDOW - 1, WINDOW + 1, 86_400])
def test_an_old_or_future_time_is_refused(seconds: int) -> None:
    key, text = key_and_text()
    assert not signed(public_keys(text), BODY, sign(key), STAMP, NOW + timedelta(seconds=seconds))


def test_the_time_is_signed_too() -> None:
    key, text = key_and_text()
    assert not signed(public_keys(text), BODY, sign(key), str(int(STAMP) + 1), NOW)


@pytest.mark.parametrize("stamp", [None, "", "soon", "-1", "١٢٣", "1" * 40])
def test_a_time_that_is_none_is_refused(stamp: str | None) -> None:
    key, text = key_and_text()
    assert not signed(public_keys(text), BODY, sign(key, stamp=stamp or ""), stamp, NOW)


@pytest.mark.parametrize("signature", [None, "", "AAAA", "not base64", base64.b64encode(bytes(64)).decode()])
def test_what_is_no_signature_is_refused(signature: str | None) -> None:
    assert not signed(public_keys(key_and_text()[1]), BODY, signature, STAMP, NOW)


def test_another_key_is_not_believed() -> None:
    assert not signed(public_keys(key_and_text()[1]), BODY, sign(key_and_text()[0]), STAMP, NOW)


def test_what_is_no_key_on_that_curve_is_left_out() -> None:
    assert public_keys(f"{key_and_text(ec.SECP384R1())[1]} nonsense AAAA") == []
