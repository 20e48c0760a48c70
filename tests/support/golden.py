"""Golden files: documents and events as a release wrote them, and a platform that can be started on them.

    tests/contracts/golden/<release>/<owner>/state/<form>.v<n>.json    {"<app>||<key>": document, …}
    tests/contracts/golden/<release>/<service>/events/<type>.json      one event as subscribers received it
    tests/contracts/golden/<release>/client.json                       what the people in them know

A document is kept as JSON, laid out for people; compact again it has the very bytes that were stored.
"""

import base64
import hashlib
import json
import re
import sqlite3  # noqa: TID251 - looks at what lies in the store, behind the sidecar's back
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, ClassVar

from omnify_local import paths, secrets
from omnify_local.contracts import files, golden
from omnify_shared.envelope import GONE
from omnify_shared.platform import Platform as Blocks
from omnify_shared.platform import make_platform
from omnify_shared.settings import Settings
from omnify_shared.telemetry import Telemetry
from omnify_shared.testing import Home, Sidecar
from support.sendgrid import give_webhook_key

GOLDEN = paths.repository() / golden.FOLDER
CLIENT = "client.json"
SEPARATOR = "||"  # between the app-id and the key, as daprd stores them
_KEYS = {
    "auth": ("auth-pepper", "auth-key-encryption-key"),
    "email": ("email-key-encryption-key",),
    "webhooks": ("webhooks-key-encryption-key",),
}
_EXPIRY = re.compile(rb'(?<="x":)[0-9.]+')


def give_secrets(home: Home) -> None:
    """Lets services open what is sealed in the golden files: keys that protect nothing but these."""
    for app_id, names in _KEYS.items():
        made = {name: hashlib.sha256(f"golden {name}".encode()).digest() for name in names}
        keys = {name: base64.urlsafe_b64encode(key).decode() for name, key in made.items()}
        secrets.write(home.path, app_id, secrets.read(home.path, app_id) | keys)
    give_webhook_key(home)


def compact(document: Any) -> bytes:
    """The bytes of a stored document."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def released() -> Path:
    """The golden files of the released version."""
    return golden.released_folder(GOLDEN, files.released_golden(paths.repository() / files.FOLDER))


def known() -> dict[str, Any]:
    """What the people in the released version's golden files know."""
    found: dict[str, Any] = json.loads((released() / CLIENT).read_text())
    return found


def stored(app_id: str) -> dict[str, bytes]:
    """The released version's documents of an app, by key."""
    prefix = f"{app_id}{SEPARATOR}"
    documents = [item for path in released().glob("*/state/*.json") for item in json.loads(path.read_text()).items()]
    return {key.removeprefix(prefix): compact(value) for key, value in documents if key.startswith(prefix)}


def living(data: bytes, until: float) -> bytes:
    """The document with a later end of its time to live, where it has one; all else stays to the byte."""
    return _EXPIRY.sub(repr(until).encode(), data, count=1)


def rows(home: Home, app_id: str) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of everything that an app stores (set `local`), but for the marks of what was deleted."""
    with closing(sqlite3.connect(f"file:{home.database(app_id)}?mode=ro", uri=True, timeout=20)) as connection:
        for key, value, binary in connection.execute("select key, value, is_binary from state").fetchall():
            data = base64.b64decode(value) if binary else value.encode()
            if data != GONE:
                yield key.partition(SEPARATOR)[2], data


class BlocksSettings(Settings):
    app_id: ClassVar[str] = "golden"


@asynccontextmanager
async def beside(sidecar: Sidecar) -> AsyncIterator[Blocks]:
    """The building blocks as the sidecar's app has them."""
    home = sidecar.home
    settings = BlocksSettings(
        environment="test",
        dapr_http_port=sidecar.ports.http,
        dapr_grpc_port=sidecar.ports.grpc,
        dapr_api_token=home.dapr_api_token,
        app_api_token=home.app_api_token,
    )
    blocks = make_platform(settings, Telemetry("golden"), uses_state=True)
    blocks.tasks.spawn(blocks.sidecar.watch(), name="watch")
    try:
        await blocks.sidecar.ready.wait()
        yield blocks
    finally:
        await blocks.tasks.close()
        await blocks.sidecar.close()
        blocks.telemetry.close()
