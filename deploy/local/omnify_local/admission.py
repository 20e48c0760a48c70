"""Lets an app into a component set: the lines that an administrator would add by hand, applied to a copy of the set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Resource = dict[str, Any]


@dataclass(frozen=True)
class Guest:
    """An app-id beside those of the run file: it may use every component, or `components`, and these topics."""

    app_id: str
    publishes: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    components: tuple[str, ...] | None = None

    @classmethod
    def consumer(cls, app_id: str, topics: Iterable[str] = ()) -> "Guest":
        """An app that calls the services and reads `topics`: no state, no secrets, and its dead letters are its own.

        It publishes nothing but those: its sidecar puts there what the app could not handle.
        """
        topics = tuple(topics)
        if not topics:
            return cls(app_id, components=())
        own = f"{app_id}-deadletters"
        # Its sidecar reads the broker's address from `infrastructure`, which every app is refused.
        return cls(app_id, publishes=(own,), subscribes=(*topics, own), components=("pubsub", "infrastructure"))


def admit(components: Path, guest: Guest) -> None:
    """Rewrite the set in the folder `components` so that `guest` may join it. Sidecars read it when they start."""
    for file in sorted(components.glob("*.yaml")):
        documents = [item for item in yaml.safe_load_all(file.read_text()) if item]
        for document in documents:
            _admit(document, guest)
        file.write_text(yaml.safe_dump_all(documents, sort_keys=False))


def admit_caller(allow_list: Path, app_id: str) -> None:
    """Rewrite a service's allow list of the locked-down profile so that `app_id` may call its public routes."""
    document = yaml.safe_load(allow_list.read_text())
    operations = [
        {"name": "/api/**", "httpVerb": ["*"], "action": "allow"},
        {"name": "/.well-known/jwks.json", "httpVerb": ["GET"], "action": "allow"},
    ]
    policy = {"appId": app_id, "defaultAction": "deny", "trustDomain": "public", "namespace": "default"}
    document["spec"]["accessControl"]["policies"].append(policy | {"operations": operations})
    allow_list.write_text(yaml.safe_dump(document, sort_keys=False))


def _admit(document: Resource, guest: Guest) -> None:
    kind = document["kind"]
    if kind == "Component":
        if guest.components is None or document["metadata"]["name"] in guest.components:
            document["scopes"].append(guest.app_id)
        if document["spec"]["type"].startswith("pubsub."):
            _admit_topics(document, guest)
    if kind == "Configuration":
        document["spec"]["secrets"]["scopes"][-1]["allowedSecrets"].extend(guest.secrets)
    if kind == "Resiliency":
        apps = document["spec"]["targets"]["apps"]
        apps.setdefault(guest.app_id, apps["auth"])


def _admit_topics(component: Resource, guest: Guest) -> None:
    """Give the app its topics; protected ones stay closed to everybody else."""
    fields = {item["name"]: item for item in component["spec"]["metadata"]}
    protected = fields["protectedTopics"]["value"].split(",")
    fields["protectedTopics"]["value"] = ",".join(dict.fromkeys([*protected, *guest.publishes, *guest.subscribes]))
    fields["publishingScopes"]["value"] += f";{guest.app_id}={','.join(guest.publishes)}"
    fields["subscriptionScopes"]["value"] += f";{guest.app_id}={','.join(guest.subscribes)}"
