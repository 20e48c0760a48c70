"""SendGrid's side of its event webhook: a key of the tests' own, and batches signed with it."""

import base64
import json
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from omnify_email.signatures import SIGNATURE, TIMESTAMP
from omnify_local import secrets
from omnify_shared import clock
from omnify_shared.testing import Home

PATH = "/api/email/events/sendgrid"
_KEY = ec.derive_private_key(int.from_bytes(sha256(b"the tests' webhook key").digest()), ec.SECP256R1())


def give_webhook_key(home: Home) -> None:
    """Has the email service of a home believe these batches; before its sidecar starts."""
    public = _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    known = secrets.read(home.path, "email")
    secrets.write(home.path, "email", known | {"sendgrid-webhook-key": base64.b64encode(public).decode()})


def batch(*events: dict[str, Any], age: int = 0) -> tuple[bytes, dict[str, str]]:
    """A batch and its headers, signed `age` seconds ago."""
    body, stamp = json.dumps(events).encode(), str(int(clock.now().timestamp()) - age)
    signature = _KEY.sign(stamp.encode() + body, ec.ECDSA(SHA256()))
    return body, {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: stamp}


def event(mail: str, what: str, address: str, **more: Any) -> dict[str, Any]:
    """Something that happened to a mail of ours."""
    about = {"email": address, "timestamp": int(clock.now().timestamp()), "omnify_mail": mail}
    return {"event": what, "sg_event_id": f"{what}-{mail}", "sg_message_id": "m"} | about | more
