"""How vendors sign, written down a second time and apart from the service: headers of a signed request."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

Sign = Callable[[str, bytes, float, str], dict[str, str]]
_RSA = {name: rsa.generate_private_key(65537, 2048) for name in ("right", "wrong")}
_ED = {name: ed25519.Ed25519PrivateKey.generate() for name in ("right", "wrong")}
_EC = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("right", "wrong")}


@dataclass(frozen=True)
class Vendor:
    """`secrets`: the right one and a wrong one, as a connection takes them; `timed`: whether a time is signed."""

    provider: str
    secrets: dict[str, str]
    sign: Sign
    signature: str
    body: bytes
    event_type: str
    timed: bool = True
    options: tuple[tuple[str, str], ...] = ()


def _mac(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def stripe(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    mac = _mac(secret, f"{int(at)}.".encode() + body).hex()
    return {"Stripe-Signature": f"t={int(at)},v0=ignored,v1={'0' * 64},v1={mac}"}


def shopify(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    headers = {"X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": hashlib.md5(body).hexdigest()}  # noqa: S324
    return headers | {"X-Shopify-Hmac-Sha256": _b64(_mac(secret, body))}


def hubspot(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    stamp = str(int(at * 1000))
    return {
        "X-HubSpot-Request-Timestamp": stamp,
        "X-HubSpot-Signature-v3": _b64(_mac(secret, b"POST" + url.encode() + body + stamp.encode())),
    }


def klaviyo(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    stamp = datetime.fromtimestamp(at, UTC).isoformat()
    return {"Klaviyo-Timestamp": stamp, "Klaviyo-Signature": _mac(secret, body + stamp.encode()).hex()}


def klaviyo_body_alone(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    return {"Klaviyo-Timestamp": str(int(at)), "Klaviyo-Signature": _mac(secret, body).hex()}


def meta(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + _mac(secret, body).hex()}


def tiktok(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    return {"TikTok-Signature": f"t={int(at)},s={_mac(secret, f'{int(at)}.'.encode() + body).hex()}"}


def standard(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    name, stamp = "msg_" + hashlib.sha256(body).hexdigest()[:8], datetime.fromtimestamp(int(at), UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": "v1,wrong " + Webhook(secret).sign(name, stamp, body.decode()),
    }


def sendgrid(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    stamp = str(int(at))
    made = _EC[_of(_EC, secret)].sign(stamp.encode() + body, ec.ECDSA(SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        "X-Twilio-Email-Event-Webhook-Signature": _b64(made),
    }


def gohighlevel_rsa(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    return {"X-WH-Signature": _b64(_RSA[_of(_RSA, secret)].sign(body, padding.PKCS1v15(), SHA256()))}


def gohighlevel_ed25519(secret: str, body: bytes, at: float, url: str) -> dict[str, str]:
    return {"X-GHL-Signature": _b64(_ED[_of(_ED, secret)].sign(body))}


def _of(keys: Mapping[str, object], secret: str) -> str:
    return next(name for name, key in keys.items() if _public(key) == secret)


def _public(key: object) -> str:
    public = key.public_key()  # type: ignore[attr-defined]
    if isinstance(key, ec.EllipticCurvePrivateKey):  # SendGrid shows its key as base64 of the DER form
        return _b64(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return str(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def _keys(keys: Mapping[str, object]) -> dict[str, str]:
    return {name: _public(key) for name, key in keys.items()}


_TEXT = {"right": "right-secret-of-a-vendor", "wrong": "wrong-secret-of-a-vendor"}
_WHSEC = {name: "whsec_" + _b64(hashlib.sha256(name.encode()).digest()) for name in ("right", "wrong")}
VENDORS = {
    "stripe": Vendor(
        "stripe", _TEXT, stripe, "Stripe-Signature",
        b'{"id": "evt_1", "type": "charge.succeeded", "data": {"amount": 7}}', "charge.succeeded",
    ),
    "shopify": Vendor(
        "shopify", _TEXT, shopify, "X-Shopify-Hmac-Sha256", b'{"id": 1, "total": "7.00"}', "orders/create", timed=False
    ),
    "hubspot": Vendor(
        "hubspot", _TEXT, hubspot, "X-HubSpot-Signature-v3",
        b'[{"eventId": 1, "subscriptionType": "contact.creation", "portalId": 7}]', "contact.creation",
    ),
    "klaviyo": Vendor(
        "klaviyo", _TEXT, klaviyo, "Klaviyo-Signature",
        b'{"meta": {}, "data": [{"topic": "event:klaviyo.opened_email"}]}', "event:klaviyo.opened_email",
    ),
    "klaviyo, body alone": Vendor(
        "klaviyo", _TEXT, klaviyo_body_alone, "Klaviyo-Signature", b'{"data": [{"topic": "a"}, {"topic": "b"}]}',
        "batch", options=(("signed", "body"),),
    ),
    "meta": Vendor("meta", _TEXT, meta, "X-Hub-Signature-256", b'{"object": "page", "entry": []}', "page", timed=False),
    "tiktok": Vendor(
        "tiktok", _TEXT, tiktok, "TikTok-Signature", b'{"event": "video.upload", "content": "x"}', "video.upload"
    ),
    "standard": Vendor(
        "standard", _WHSEC, standard, "webhook-signature", b'{"type": "thing.made", "data": {}}', "thing.made"
    ),
    "sendgrid": Vendor(
        "sendgrid", _keys(_EC), sendgrid, "X-Twilio-Email-Event-Webhook-Signature",
        b'[{"event": "bounce", "sg_event_id": "a"}, {"event": "bounce", "sg_event_id": "b"}]\r\n', "bounce",
    ),
    "gohighlevel, RSA": Vendor(
        "gohighlevel", _keys(_RSA), gohighlevel_rsa, "X-WH-Signature",
        b'{"type": "ContactCreate", "webhookId": "w1"}', "ContactCreate", timed=False,
    ),
    "gohighlevel, Ed25519": Vendor(
        "gohighlevel", _keys(_ED), gohighlevel_ed25519, "X-GHL-Signature",
        b'{"type": "ContactCreate", "webhookId": "w2"}', "ContactCreate", timed=False,
    ),
}  # fmt: skip
