"""The Configuration that a service's daprd lays over its set's own: who may call it, and which APIs it may use.

How daprd 1.18 reads an operation's path (pkg/config/accesscontrollist, tried in tests/secure):
- `/**` stands for one segment inside a path and for any rest, even none, at its end; `/*` works at the end only.
- A path without a star also covers everything below it. That is harmless as long as nothing else is granted below;
  where something is, the path is written with a final `/*`, which covers itself and one segment.
- The first rule that fits a segment wins and is not left again, so plain segments come before stars, short before long.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import yaml

from omnify_local.access.grants import Grant
from omnify_local.contracts.services import Service
from omnify_local.sentry import GUEST, NAMESPACE, TRUST_DOMAIN
from omnify_shared.access import Access
from omnify_shared.secrets import STORE

Document = dict[str, Any]
Api = tuple[str, str]
_PARAMETER = re.compile(r"\{[^/]+\}")
# A protocol without any rule is wide open, so one of which nothing is used gets a rule that is allowed and denied.
_NOTHING: Api = ("unlock", "v1alpha1")
_HEAD = "# Made by `make access` from what the services declare (omnify_shared.access); see docs/decisions/0016.\n"


def apis(service: Service) -> dict[str, list[Api]]:
    """The APIs of its own sidecar that a service uses, by protocol."""
    access: Access = service.app.state.access
    http = {("invoke", "v1"): bool(access.calls or access.prefixes), ("metadata", "v1"): access.metadata}
    grpc = {
        ("state", "v1"): service.app.state.platform.uses_state,
        ("publish", "v1"): bool(service.produces),
        ("secrets", "v1"): bool(access.secrets),
        ("bindings", "v1"): bool(access.bindings),
    }
    return {name: [api for api, used in rules.items() if used] for name, rules in (("http", http), ("grpc", grpc))}


def configuration(service: Service, grants: Iterable[Grant]) -> str:
    """The whole file of a service."""
    mine = [grant for grant in grants if grant.callee == service.name]
    policies = [_policy(caller, list(group)) for caller, group in groupby(mine, key=lambda grant: grant.caller)]
    return _file(service.name, apis(service), service.app.state.access.secrets, policies)


def guest() -> str:
    """The file of an app that is no service of ours, such as the operator's: it may call, and nobody may call it."""
    return _file(GUEST, {"http": [("invoke", "v1")], "grpc": []}, (), [])


def _file(name: str, used: dict[str, list[Api]], secrets: Iterable[str], policies: list[Document]) -> str:
    control = {"defaultAction": "deny", "trustDomain": TRUST_DOMAIN, "policies": policies}
    document = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": f"omnify-{name}"},
        "spec": {"api": _api(used), "secrets": {"scopes": _secrets(secrets)}, "accessControl": control},
    }
    return _HEAD + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=118)


def _api(by_protocol: dict[str, list[Api]]) -> Document:
    allowed, denied = [], []
    for protocol, used in by_protocol.items():
        allowed += [_rule(api, protocol) for api in used or [_NOTHING]]
        denied += [] if used else [_rule(_NOTHING, protocol)]
    return {"allowed": allowed} | ({"denied": denied} if denied else {})


def _rule(api: Api, protocol: str) -> Document:
    return {"name": api[0], "version": api[1], "protocol": protocol}


def _secrets(own: Iterable[str]) -> list[Document]:
    # Every field is given: daprd reads this list over the one of the set, and what is absent here would stay.
    return [
        {"storeName": "infrastructure", "defaultAccess": "deny", "allowedSecrets": [], "deniedSecrets": []},
        {"storeName": STORE, "defaultAccess": "deny", "allowedSecrets": sorted(own), "deniedSecrets": []},
    ]


def _policy(caller: str, grants: list[Grant]) -> Document:
    operations = [{"name": name, "httpVerb": sorted(verbs), "action": "allow"} for name, verbs in operations_of(grants)]
    policy = {"appId": caller, "defaultAction": "deny", "trustDomain": TRUST_DOMAIN, "namespace": NAMESPACE}
    return policy | {"operations": operations}


def operations_of(grants: Iterable[Grant]) -> Iterator[tuple[str, set[str]]]:
    """daprd's operations for the grants of one caller, in an order that daprd reads as meant."""
    prefixes = {grant.path for grant in grants if grant.prefix}
    verbs: dict[str, set[str]] = {}
    for grant in grants:
        if not any(_below(grant.path, prefix) for prefix in prefixes):
            verbs.setdefault(_pattern(grant), set()).update(grant.methods)
    for name in sorted(verbs, key=_order):
        covered = not name.endswith("*") and any(_below(other, name) for other in verbs)
        yield (f"{name}/*" if covered else name), verbs[name]


def _order(name: str) -> list[tuple[int, str]]:
    return [(len(segment) if segment in {"*", "**"} else 0, segment) for segment in name.split("/")]


def _below(path: str, prefix: str) -> bool:
    return path != prefix and path.startswith(f"{prefix}/")


def _pattern(grant: Grant) -> str:
    """A path as daprd takes it."""
    inner = _PARAMETER.sub("**", grant.path)
    if grant.prefix:
        return f"{inner}/**"
    return f"{inner[:-1]}" if inner.endswith("/**") else inner
