"""The signature of SendGrid's event webhook: ECDSA on P-256 over the timestamp and the raw body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

import base64
import binascii
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
WINDOW = 300  # seconds, to either side


def public_keys(secret: str) -> list[ec.EllipticCurvePublicKey]:
    """The keys in a secret, parted by spaces (two while one follows the other); what is no such key is left out."""
    found = []
    for text in secret.split():
        try:
            key = load_der_public_key(base64.b64decode(text, validate=True))
        except (ValueError, binascii.Error):
            continue
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            found.append(key)
    return found


def signed(
    keys: list[ec.EllipticCurvePublicKey], body: bytes, signature: str | None, timestamp: str | None, now: datetime
) -> bool:
    """Whether one of the keys signed these very bytes within the last five minutes."""
    if not signature or not timestamp or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(now.timestamp() - int(timestamp)) > WINDOW:
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        return False
    return any(_verifies(key, raw, timestamp.encode() + body) for key in keys)


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
