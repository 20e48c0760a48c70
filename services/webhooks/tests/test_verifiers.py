"""Each provider's scheme: good, altered, stale, early, with a wrong key, and encoded otherwise."""

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from omnify_webhooks.verifiers import VERIFIERS, Facts, Incoming, Refused
from support.vendors import VENDORS, Vendor

URL = "https://omnify.example/api/webhooks/in/x/0190?a=1"
NOW = time.time()


def incoming(vendor: Vendor, body: bytes, headers: dict[str, str], url: str = URL) -> Incoming:
    known = {name.lower(): value for name, value in headers.items()}
    return Incoming("POST", url, known, body, datetime.fromtimestamp(NOW, UTC), 300)


def options(vendor: Vendor) -> dict[str, Any]:
    allowed = VERIFIERS[vendor.provider].options
    return {name: values[0] for name, values in allowed.items() if values} | dict(vendor.options)


def check(vendor: Vendor, request: Incoming, key: str = "right") -> Facts:
    verifier = VERIFIERS[vendor.provider]
    verifier.usable(vendor.secrets[key])
    verifier.verify(request, vendor.secrets[key], options(vendor))
    return verifier.facts(request, options(vendor))


def signed(vendor: Vendor, at: float = NOW, body: bytes | None = None) -> dict[str, str]:
    return vendor.sign(vendor.secrets["right"], vendor.body if body is None else body, at, URL)


every = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
timed = pytest.mark.parametrize(
    "vendor", [one for one in VENDORS.values() if one.timed], ids=[name for name, one in VENDORS.items() if one.timed]
)


@every
def test_a_good_one_is_taken(vendor: Vendor) -> None:
    assert check(vendor, incoming(vendor, vendor.body, signed(vendor))).event_type == vendor.event_type


@every
def test_one_changed_byte_is_seen(vendor: Vendor) -> None:
    for place in (0, len(vendor.body) // 2, len(vendor.body) - 1):
        altered = vendor.body[:place] + bytes([vendor.body[place] ^ 1]) + vendor.body[place + 1 :]
        with pytest.raises(Refused):
            check(vendor, incoming(vendor, altered, signed(vendor)))


@every
def test_a_body_written_anew_is_another_body(vendor: Vendor) -> None:
    anew = json.dumps(json.loads(vendor.body), separators=(",", ":")).encode()
    assert anew != vendor.body
    with pytest.raises(Refused):
        check(vendor, incoming(vendor, anew, signed(vendor)))


@every
def test_another_key_does_not_fit(vendor: Vendor) -> None:
    with pytest.raises(Refused):
        check(vendor, incoming(vendor, vendor.body, signed(vendor)), "wrong")


@timed
@pytest.mark.parametrize(("seconds", "taken"), [(-290, True), (290, True), (-310, False), (310, False)])
def test_a_signature_counts_for_five_minutes(vendor: Vendor, seconds: float, taken: bool) -> None:
    request = incoming(vendor, vendor.body, signed(vendor, NOW + seconds))
    if taken:
        check(vendor, request)
    else:
        with pytest.raises(Refused, match="too old"):
            check(vendor, request)


@every
@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.upper() if text != text.upper() else text.lower(),
        lambda text: text[:-4],
        lambda text: text + "=",
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: " ".join(text),
        lambda text: text + "\u00e9",
    ],
)
def test_a_signature_encoded_otherwise_is_none(vendor: Vendor, change: Any) -> None:
    headers = signed(vendor)
    headers[vendor.signature] = change(headers[vendor.signature])
    with pytest.raises(Refused):
        check(vendor, incoming(vendor, vendor.body, headers))


@every
def test_every_header_is_needed(vendor: Vendor) -> None:
    unsigned = {"X-Shopify-Topic", "X-Shopify-Webhook-Id"}
    for name in signed(vendor).keys() - unsigned:
        headers = signed(vendor)
        del headers[name]
        with pytest.raises(Refused):
            check(vendor, incoming(vendor, vendor.body, headers))


def test_hubspot_signs_the_address_too() -> None:
    vendor = VENDORS["hubspot"]
    with pytest.raises(Refused):
        check(vendor, incoming(vendor, vendor.body, signed(vendor), URL + "&b=2"))
    moved = incoming(vendor, vendor.body, signed(vendor), "http://inside:8000/x")
    VERIFIERS["hubspot"].verify(moved, vendor.secrets["right"], {"public_url": URL})


def test_klaviyos_two_forms_are_not_taken_for_each_other() -> None:
    one, other = VENDORS["klaviyo"], VENDORS["klaviyo, body alone"]
    with pytest.raises(Refused):
        check(one, incoming(one, one.body, other.sign(one.secrets["right"], one.body, NOW, URL)))


def test_a_recent_timestamp_in_gohighlevels_body_can_be_demanded() -> None:
    vendor = VENDORS["gohighlevel, RSA"]
    verifier, secret = VERIFIERS["gohighlevel"], vendor.secrets["right"]
    stale = b'{"type": "x", "timestamp": "2020-01-01T00:00:00Z"}'
    for body in (vendor.body, stale):
        request = incoming(vendor, body, signed(vendor, body=body))
        with pytest.raises(Refused):
            verifier.verify(request, secret, {"timestamp": "required"})


@pytest.mark.parametrize(
    ("provider", "secret"),
    [
        ("stripe", "short"),
        ("stripe", "with\nnewline in it"),
        ("klaviyo", "fifteen letters"),
        ("standard", "whsec_c2hvcnQ="),
        ("sendgrid", "not a key"),
        ("sendgrid", VENDORS["gohighlevel, RSA"].secrets["right"]),
        ("gohighlevel", VENDORS["sendgrid"].secrets["right"]),
    ],
    ids=["short", "two lines", "not a key of klaviyo", "too few bytes", "no key", "another key", "a key of another"],
)
def test_what_can_be_no_secret_is_refused(provider: str, secret: str) -> None:
    with pytest.raises(ValueError, match=r"secret|key|bytes|base64"):
        VERIFIERS[provider].usable(secret)


def test_sendgrids_own_library_agrees() -> None:
    from sendgrid.helpers.eventwebhook import EventWebhook

    vendor = VENDORS["sendgrid"]
    headers = signed(vendor)
    stamp = headers["X-Twilio-Email-Event-Webhook-Timestamp"]
    assert EventWebhook(vendor.secrets["right"]).verify_signature(
        vendor.body.decode(), headers[vendor.signature], stamp
    )
