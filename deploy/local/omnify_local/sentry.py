"""Dapr's certificate authority on loopback, and the identities that it gives out.

Left alone, a self-hosted sentry gives any app's certificate to whoever asks. This one asks for a token (its `jwks`
validator), and a token is made for one app-id: the key that signs the tokens lives in this process only, from one start
of sentry to the next.
"""

import json
import os
from pathlib import Path

import jwt
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from omnify_local import paths, tools
from omnify_local.daprd import Identity, Tokens
from omnify_local.ports import LOOPBACK, answers
from omnify_local.secrets import random_secret
from omnify_local.servers import Server

SENTRY_PORT, HEALTH_PORT = 50007, 3870
TRUST_DOMAIN, NAMESPACE = "public", "default"  # Dapr's own defaults, which the allow lists name
ALLOW_LISTS = Path("deploy") / "secure"
GUEST = "guest"
_AUDIENCE = "spiffe://localhost/ns/default/dapr-sentry"
_CERTIFICATES = {"enabled": True, "workloadCertTTL": "1h", "allowedClockSkew": "1m"}
_KEY_ID = "omnify"


class Sentry(Server):
    """The authority. Its root and issuer are made once and kept in `folder`; workload certificates live an hour."""

    name = "sentry"

    def __init__(self, folder: Path, port: int = SENTRY_PORT, health_port: int = HEALTH_PORT) -> None:
        super().__init__(folder, port)
        self.health_port = health_port
        self.ports = (port, health_port)
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def credentials(self) -> Path:
        """Root, issuer and the issuer's key; only sentry reads the key."""
        return self.folder / "credentials"

    def prepare(self) -> None:
        """See Server."""
        self.folder.chmod(0o700)
        for private in (self.credentials, self._tokens):
            private.mkdir(mode=0o700, exist_ok=True)
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        jwks = {"keys": [public | {"kid": _KEY_ID, "alg": "ES256", "use": "sig"}]}
        _write(self.folder / "jwks.json", json.dumps(jwks))
        validator = {"name": "jwks", "options": {"source": str(self.folder / "jwks.json")}}
        configuration = {
            "apiVersion": "dapr.io/v1alpha1",
            "kind": "Configuration",
            "metadata": {"name": "sentry"},
            "spec": {"mtls": _CERTIFICATES | {"tokenValidators": [validator]}},
        }
        _write(self.folder / "sentry.yaml", yaml.safe_dump(configuration))

    def command(self) -> list[str]:
        """See Server."""
        return [
            str(tools.sentry()),
            f"--listen-address={LOOPBACK}",
            f"--port={self.port}",
            f"--healthz-listen-address={LOOPBACK}",
            f"--healthz-port={self.health_port}",
            "--enable-metrics=false",
            f"--issuer-credentials={self.credentials}",
            f"--config={self.folder / 'sentry.yaml'}",
        ]

    def ready(self) -> bool:
        """See Server."""
        return (self.credentials / "ca.crt").exists() and answers(self.port)

    def identity(self, app_id: str, *, namespace: str = NAMESPACE, token_for: str | None = None) -> Identity:
        """What makes a daprd `app_id`: the root to trust and a token, no key of the authority's, and its allow lists.

        An app that has no lists of its own gets those of a guest. A token for another app (`token_for`) buys nothing;
        tests show it. The authority has to be up.
        """
        file = self._tokens / f"{app_id}.{namespace}.jwt"
        _write(file, self._token(token_for or app_id, namespace))
        folder = paths.repository() / ALLOW_LISTS
        own = folder / f"{app_id}.yaml"
        return Identity(
            tokens=Tokens(random_secret(), random_secret()),
            flags={"enable-mtls": "true", "sentry-address": f"{LOOPBACK}:{self.port}"},
            environment={
                "DAPR_TRUST_ANCHORS": (self.credentials / "ca.crt").read_text(),
                "DAPR_SENTRY_TOKEN_FILE": str(file),
                "NAMESPACE": namespace,
            },
            configurations=(own if own.exists() else folder / f"{GUEST}.yaml",),
        )

    def _token(self, app_id: str, namespace: str) -> str:
        claims = {"sub": f"spiffe://{TRUST_DOMAIN}/ns/{namespace}/{app_id}", "aud": _AUDIENCE}
        return jwt.encode(claims, self._key, "ES256", headers={"kid": _KEY_ID})

    @property
    def _tokens(self) -> Path:
        return self.folder / "tokens"


def _write(path: Path, text: str) -> None:
    """Writes a file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
