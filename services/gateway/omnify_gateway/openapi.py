"""One OpenAPI document for the whole platform, put together from what each service publishes about itself."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog
from pydantic_core import to_json

from omnify_gateway.table import Table
from omnify_shared.access import Call
from omnify_shared.invocation import Invoker
from omnify_shared.problems import Problem

log = structlog.get_logger()
FETCH_TIMEOUT = 2.0  # seconds for one service
RETRY_PARTIAL = 5.0  # seconds until a document that lacks a service is put together again
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_COMPONENTS = "#/components/"


def document_of(app_id: str) -> Call:
    """Where a service publishes its document."""
    return Call(app_id, "GET", "/openapi.json")


class Catalogue:
    """The merged document, kept for `ttl` seconds; callers that come meanwhile share one fetch."""

    def __init__(self, invoker: Invoker, table: Table, *, ttl: float) -> None:
        self._invoker = invoker
        self._prefixes = table.prefixes
        self._ttl = ttl
        self._document = b""
        self._good_until = float("-inf")
        self._lock = asyncio.Lock()

    async def document(self) -> bytes:
        """The document as JSON; services that did not answer are named in `x-omnify-unavailable`."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                merged = merge(await self._fetch_all(), self._prefixes)
                missing = merged["x-omnify-unavailable"]
                self._document = to_json(merged)
                self._good_until = time.monotonic() + (min(self._ttl, RETRY_PARTIAL) if missing else self._ttl)
        return self._document

    async def _fetch_all(self) -> dict[str, dict[str, Any] | None]:
        apps = sorted(self._prefixes)
        return dict(zip(apps, await asyncio.gather(*map(self._fetch, apps)), strict=True))

    async def _fetch(self, app_id: str) -> dict[str, Any] | None:
        try:
            reply = await self._invoker.request(document_of(app_id), timeout=FETCH_TIMEOUT)
            document = reply.json() if reply.status == 200 else None
        except (Problem, ValueError) as error:
            log.info("no OpenAPI document", app_id=app_id, reason=type(error).__name__)
            return None
        return document if isinstance(document, dict) else None


def merge(documents: Mapping[str, dict[str, Any] | None], prefixes: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Merges services' documents: only public paths, component names and operation ids prefixed by app-id."""
    merged: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Omnify API", "version": "1", "description": "Every service behind the gateway."},
        "servers": [{"url": "/"}],
        "paths": {},
        "components": {},
        "tags": [],
        "x-omnify-unavailable": [app_id for app_id, document in documents.items() if document is None],
    }
    for app_id, document in documents.items():
        if document is not None:
            _add(merged, app_id, document, prefixes[app_id])
    return merged


def _add(merged: dict[str, Any], app_id: str, document: dict[str, Any], prefixes: tuple[str, ...]) -> None:
    renamed = _rename_refs(document, app_id)
    for section, members in renamed.get("components", {}).items():
        target = merged["components"].setdefault(section, {})
        target.update({f"{app_id}_{name}": member for name, member in members.items()})
    for path, item in renamed.get("paths", {}).items():
        if any(path == prefix or path.startswith(prefix + "/") for prefix in prefixes):
            merged["paths"][path] = _owned(item, app_id, renamed.get("security"))
    merged["tags"].append({"name": app_id, "description": document.get("info", {}).get("title", app_id)})


def _owned(item: dict[str, Any], app_id: str, security: Any) -> dict[str, Any]:
    return {key: _operation(value, app_id, security) if key in METHODS else value for key, value in item.items()}


def _operation(operation: dict[str, Any], app_id: str, security: Any) -> dict[str, Any]:
    owned = operation | {"tags": [app_id]}
    if "operationId" in operation:
        owned["operationId"] = f"{app_id}_{operation['operationId']}"
    needs = operation.get("security", security)
    if needs is not None:
        owned["security"] = [{f"{app_id}_{name}": scopes for name, scopes in need.items()} for need in needs]
    return owned


def _rename_refs(node: Any, app_id: str) -> Any:
    if isinstance(node, dict):
        return {key: _rename_refs(value, app_id) for key, value in node.items()}
    if isinstance(node, list):
        return [_rename_refs(value, app_id) for value in node]
    if isinstance(node, str) and node.startswith(_COMPONENTS):
        section, _, name = node.removeprefix(_COMPONENTS).partition("/")
        return f"{_COMPONENTS}{section}/{app_id}_{name}"
    return node
