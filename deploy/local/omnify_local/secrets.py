"""Secrets of one machine, made on the first run and kept: `.omnify/secrets/<app-id>.json`, `infrastructure.json`.

Application secrets are 32 random bytes, base64url. Infrastructure entries say where the servers are: edit them to bring
your own. SENDGRID_API_KEY and MONGODB_URL are taken from the environment when the files are made.
"""

import base64
import functools
import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from omnify_local.ports import LOOPBACK

FOLDER = Path(".omnify") / "secrets"
INFRASTRUCTURE = "infrastructure"
TOKENS = "tokens"


def random_secret() -> str:
    """32 random bytes as base64url without padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def _sendgrid_key() -> str:
    return os.environ.get("SENDGRID_API_KEY") or random_secret()


_GENERATED: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "auth": {"auth-pepper": random_secret, "auth-key-encryption-key": random_secret},
    "email": {"sendgrid-api-key": _sendgrid_key},
    # Not a component's file: what the runner puts into the environment of sidecars and services.
    TOKENS: {"dapr-api-token": random_secret, "app-api-token": random_secret, "metrics-token": random_secret},
}


def default_infrastructure(redis: int = 6379, kafka: int = 9092, mongo: int = 27017) -> dict[str, str]:
    """Addresses of the servers that the runner starts on loopback."""
    mongodb = f"mongodb://{LOOPBACK}:{mongo}/?replicaSet=secantus&directConnection=true"
    return {
        "redis-host": f"{LOOPBACK}:{redis}",
        "redis-password": "",
        "kafka-brokers": f"{LOOPBACK}:{kafka}",
        "mongodb-url": os.environ.get("MONGODB_URL") or mongodb,
    }


def read(home: Path, name: str) -> dict[str, str]:
    """The secrets in one file of `home`; empty when there is none."""
    path = home / FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(home: Path, name: str, values: Mapping[str, str]) -> None:
    """Write one file, readable by its owner only, replacing the old one in a single step."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for private in (home / ".omnify", folder):
        private.chmod(0o700)
    target, temporary = folder / f"{name}.json", folder / f".{name}.json.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(dict(values), file, indent=2)
        file.write("\n")
    temporary.replace(target)


def ensure(home: Path, infrastructure: Mapping[str, str] | None = None) -> None:
    """Make what is missing under `home`; whatever is there stays as it is."""
    wanted: dict[str, Mapping[str, Callable[[], str]]] = dict(_GENERATED)
    servers = infrastructure or default_infrastructure()
    wanted[INFRASTRUCTURE] = {name: functools.partial(str, value) for name, value in servers.items()}
    for name, entries in wanted.items():
        present = read(home, name)
        missing = {key: make() for key, make in entries.items() if key not in present}
        if missing or not (home / FOLDER / f"{name}.json").exists():
            write(home, name, {**present, **missing})
    (home / ".omnify" / "data").mkdir(exist_ok=True)
