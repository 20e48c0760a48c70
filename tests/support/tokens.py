"""A stand-in for auth's side of access tokens: keys, a JWKS and tokens that may be wrong in any one way."""

import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from omnify_shared.ids import new_id


class Signer:
    """Signs as auth does. `fetches` counts how often its JWKS was read."""

    def __init__(self, *kids: str) -> None:
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.fetches = 0
        for kid in kids or ("k1",):
            self.add(kid)

    def add(self, kid: str) -> None:
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1())

    def public_pem(self, kid: str) -> bytes:
        return self.keys[kid].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def document(self) -> dict[str, Any]:
        """The JWK Set as auth publishes it."""
        jwks = [ECAlgorithm.to_jwk(key.public_key(), as_dict=True) for key in self.keys.values()]
        return {
            "keys": [jwk | {"kid": kid, "alg": "ES256", "use": "sig"} for kid, jwk in zip(self.keys, jwks, strict=True)]
        }

    async def source(self) -> dict[str, Any]:
        """A key source for `Identity`."""
        self.fetches += 1
        return self.document()

    def token(
        self,
        kid: str = "k1",
        *,
        header: Mapping[str, Any] | None = None,
        without: tuple[str, ...] = (),
        lives: float = 300,
        **claims: Any,
    ) -> str:
        """A valid token but for what the arguments change; `lives` is in seconds."""
        now = int(time.time())
        content = {
            "iss": "omnify", "aud": "omnify", "sub": "user-1", "client_id": "omnify", "org": "org-1", "sid": new_id(),
            "roles": ["viewer"], "iat": now, "exp": now + int(lives), "jti": new_id(), "auth_time": now, "amr": ["pwd"],
        } | claims  # fmt: skip
        for name in without:
            del content[name]
        headers = {"typ": "at+jwt", "kid": kid} | dict(header or {})
        return jwt.PyJWS().encode(json.dumps(content).encode(), self.keys[kid], algorithm="ES256", headers=headers)


def bearer(token: str) -> dict[str, str]:
    """The header that carries an access token."""
    return {"authorization": f"Bearer {token}"}
