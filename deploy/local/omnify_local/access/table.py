"""`docs/permissions.md`: what each app may do, for people."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from omnify_local.access import lists
from omnify_local.access.grants import Grant
from omnify_local.contracts.services import Service
from omnify_local.runfile import DEFAULT_SET

_HEAD = """# What each app may do

Made by `make access` from what the services declare; the locked-down profile (`make up PROFILE=secure`) enforces all of
it and denies the rest, and `tests/secure` walks the whole of it. What *users* may do is in
[contracts/permissions.md](contracts/permissions.md).
"""


def document(root: Path, services: Iterable[Service], grants: Iterable[Grant]) -> str:
    """The page."""
    services, components = list(services), _components(root)
    parts = [
        _HEAD,
        "## Calls\n\nJudged by the called app's sidecar, by the caller's certificate. `/…` is everything below.\n",
        _rows(("Called app", "Caller", "Methods", "Path"), map(_call, grants)),
        "## Components and topics\n",
        _rows(
            ("App", "Components", "Publishes to", "Subscribes to", "Secrets"),
            (_resources(service, components) for service in services),
        ),
        "The sidecars alone read the component `infrastructure` (addresses and passwords of servers).\n",
        "## APIs of its own sidecar\n",
        _rows(("App", "HTTP", "gRPC"), map(_apis, services)),
    ]
    return "\n".join(parts)


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _call(grant: Grant) -> tuple[str, ...]:
    path = f"`{grant.path}`" + (", `/…`" if grant.prefix else "")
    return grant.callee, grant.caller, " ".join(grant.methods), path


def _components(root: Path) -> dict[str, Any]:
    """The components of the default set; a test says that every set has the same, with the same scopes."""
    files = sorted((root / "components" / DEFAULT_SET).glob("*.yaml"))
    documents = [item for file in files for item in yaml.safe_load_all(file.read_text()) if item]
    return {item["metadata"]["name"]: item for item in documents if item["kind"] == "Component"}


def _resources(service: Service, components: dict[str, Any]) -> tuple[str, ...]:
    usable = [name for name, item in components.items() if service.name in item["scopes"] and name != "infrastructure"]
    fields = {item["name"]: item.get("value", "") for item in components["pubsub"]["spec"]["metadata"]}
    topics = [_topics(fields[name], service.name) for name in ("publishingScopes", "subscriptionScopes")]
    secrets = sorted(service.app.state.access.secrets)
    return service.name, *(", ".join(part) or "none" for part in (sorted(usable), *topics, secrets))


def _topics(scopes: str, app_id: str) -> list[str]:
    """`app=t1,t2;other=` read for one app."""
    pairs = {app: topics for app, _, topics in (part.partition("=") for part in scopes.split(";"))}
    return [topic for topic in pairs[app_id].split(",") if topic]


def _apis(service: Service) -> tuple[str, ...]:
    used = lists.apis(service)
    return service.name, *(", ".join(name for name, _ in used[protocol]) or "none" for protocol in ("http", "grpc"))
