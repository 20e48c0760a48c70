"""Secrets of one machine, made on the first run and kept: `.omnify/secrets/<app-id>.json`, `infrastructure.json`.

Application secrets are 32 random bytes, base64url. Infrastructure entries say where the servers are: edit them to bring
your own, or name yours in the environment (MONGODB_URL, KAFKA_BROKERS, REDIS_HOST and REDIS_PASSWORD, POSTGRES_URL,
RABBITMQ_URL, NATS_URL). SENDGRID_API_KEY and SENDGRID_WEBHOOK_KEY are taken from the environment when
their file is made.
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


def _sendgrid_webhook_key() -> str:
    """The public key of SendGrid's event webhook; without one a text that is no key, so that no event is believed."""
    return os.environ.get("SENDGRID_WEBHOOK_KEY") or random_secret()


_GENERATED: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "auth": {"auth-pepper": random_secret, "auth-key-encryption-key": random_secret},
    "email": {
        "sendgrid-api-key": _sendgrid_key,
        "sendgrid-webhook-key": _sendgrid_webhook_key,
        "email-key-encryption-key": random_secret,
    },
    "webhooks": {"webhooks-key-encryption-key": random_secret},
    "files": {"files-link-key": random_secret},
    # Not a component's file: what the runner puts into the environment of sidecars and services.
    TOKENS: {"dapr-api-token": random_secret, "app-api-token": random_secret, "metrics-token": random_secret},
}
# What a user sets to bring a server, by the entry of infrastructure.json that it becomes.
VARIABLES = {
    "redis-host": "REDIS_HOST",
    "redis-password": "REDIS_PASSWORD",
    "kafka-brokers": "KAFKA_BROKERS",
    "mongodb-url": "MONGODB_URL",
    "postgres-url": "POSTGRES_URL",
    "rabbitmq-url": "RABBITMQ_URL",
    "nats-url": "NATS_URL",
}


def brought() -> dict[str, str]:
    """Infrastructure entries that the environment sets: servers of the user's own."""
    return {entry: os.environ[name] for entry, name in VARIABLES.items() if os.environ.get(name)}


def default_infrastructure() -> dict[str, str]:
    """Addresses of the servers that the runner starts on loopback, with new passwords for those that take one.

    The ports of PostgreSQL, RabbitMQ and NATS are not the usual ones, where a system's package starts its own.
    """
    mongodb = f"mongodb://{LOOPBACK}:27017/?replicaSet=secantus&directConnection=true"
    return {
        "redis-host": f"{LOOPBACK}:6379",
        "redis-password": "",
        "kafka-brokers": f"{LOOPBACK}:9092",
        "mongodb-url": mongodb,
        "postgres-url": f"postgres://omnify:{random_secret()}@{LOOPBACK}:15432/postgres?sslmode=disable",
        "rabbitmq-url": f"amqp://omnify:{random_secret()}@{LOOPBACK}:15673/%2F",
        "nats-url": f"nats://omnify:{random_secret()}@{LOOPBACK}:14222",
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
    """Make what is missing under `home`; what is there stays, but for servers that the environment brings.

    `infrastructure` overrides entries of the default addresses and of the environment.
    """
    wanted: dict[str, Mapping[str, Callable[[], str]]] = dict(_GENERATED)
    given = {**brought(), **(infrastructure or {})}
    servers = {**default_infrastructure(), **given}
    wanted[INFRASTRUCTURE] = {name: functools.partial(str, value) for name, value in servers.items()}
    for name, entries in wanted.items():
        present = read(home, name)
        missing = {key: make() for key, make in entries.items() if key not in present}
        changed = given.items() - present.items() if name == INFRASTRUCTURE else set()
        if missing or changed or not (home / FOLDER / f"{name}.json").exists():
            write(home, name, {**present, **missing, **dict(changed)})
    (home / ".omnify" / "data").mkdir(exist_ok=True)
