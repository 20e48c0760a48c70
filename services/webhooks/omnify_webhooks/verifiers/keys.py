"""Providers that sign with a private key; what a connection holds as its secret is their public key."""

import base64
import binascii
from collections.abc import Mapping
from typing import ClassVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from omnify_webhooks.verifiers.base import (
    Facts,
    Incoming,
    Options,
    Refused,
    common,
    from_base64,
    member,
    moment,
    named,
    number,
)

SHORTEST_RSA = 2048  # bits
Key = RSAPublicKey | Ed25519PublicKey | ec.EllipticCurvePublicKey


def public_key(text: str) -> Key:
    """A key as PEM, or as base64 of its SubjectPublicKeyInfo. Raises ValueError."""
    try:
        pem = text.lstrip().startswith("-----BEGIN")
        key = load_pem_public_key(text.encode()) if pem else load_der_public_key(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise ValueError("not a public key, as PEM or as base64") from None
    if isinstance(key, RSAPublicKey) and key.key_size >= SHORTEST_RSA:
        return key
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError(f"not a key of RSA (from {SHORTEST_RSA} bits), Ed25519 or P-256")


class SendGrid:
    """ECDSA P-256 with SHA-256 over timestamp + body (Twilio's page on the Event Webhook's security)."""

    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def usable(self, secret: str) -> None:
        """See Verifier."""
        if not isinstance(public_key(secret), ec.EllipticCurvePublicKey):
            raise ValueError("SendGrid's key is one of P-256")

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        stamp = incoming.header("x-twilio-email-event-webhook-timestamp")
        signature = from_base64(incoming.header("x-twilio-email-event-webhook-signature"))
        key = public_key(secret)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise Refused("a key of another kind")
        try:
            key.verify(signature, stamp.encode() + incoming.body, ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise Refused("another signature") from None
        incoming.check_time(number(stamp))

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """A request holds many events, each with an `sg_event_id`: the body stands for them."""
        return Facts(common(incoming.json(), "event"), None)


class GoHighLevel:
    """`X-WH-Signature`: RSA with SHA-256 over the body; or `X-GHL-Signature`: Ed25519, the newer one, less certain.

    Which of them is wanted follows from the key, which the vendor publishes. Neither signs a time but the one in the
    body: with `timestamp: required` a body without a recent `timestamp` is refused.
    """

    options: ClassVar[Mapping[str, tuple[str, ...]]] = {"timestamp": ("optional", "required")}

    def usable(self, secret: str) -> None:
        """See Verifier."""
        if isinstance(public_key(secret), ec.EllipticCurvePublicKey):
            raise ValueError("GoHighLevel's key is one of RSA or Ed25519")

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        key = public_key(secret)
        try:
            if isinstance(key, RSAPublicKey):
                signature = from_base64(incoming.header("x-wh-signature"))
                key.verify(signature, incoming.body, padding.PKCS1v15(), SHA256())
            elif isinstance(key, Ed25519PublicKey):
                key.verify(from_base64(incoming.header("x-ghl-signature")), incoming.body)
            else:
                raise Refused("a key of another kind")
        except InvalidSignature:
            raise Refused("another signature") from None
        stamp = member(incoming.json(), "timestamp")
        if isinstance(stamp, str):
            incoming.check_time(moment(stamp))
        elif options["timestamp"] == "required":
            raise Refused("no timestamp")

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """See Verifier."""
        body = incoming.json()
        return Facts(named(member(body, "type")), named(member(body, "webhookId"), "") or None)
