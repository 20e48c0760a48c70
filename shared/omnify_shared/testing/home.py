"""A temporary home: the folder daprd runs in, with its secrets, its data and its own copy of a component set."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from omnify_local import admission, paths, runfile, secrets
from omnify_local.admission import Guest, Resource
from omnify_local.secrets import TOKENS

ExtraApp = Guest
"""An app-id of a test that joins a set."""


class Home:
    """`path` is the working directory of daprd; `components` the copy of the set that tests may change."""

    def __init__(
        self, path: Path, set_name: str, infrastructure: Mapping[str, str], extra: Iterable[ExtraApp] = ()
    ) -> None:
        """Make the folder. `infrastructure` overrides entries of the default or brought addresses."""
        self.path, self.set_name = path, set_name
        self.components = path / "components"
        self.namespace = "default"
        shutil.copytree(paths.repository() / "components" / set_name, self.components)
        secrets.ensure(path, infrastructure)
        tokens = secrets.read(path, TOKENS)
        self.dapr_api_token, self.app_api_token = tokens["dapr-api-token"], tokens["app-api-token"]
        self.find_peers(None)
        for app in extra:
            self.admit(app)

    @property
    def configuration(self) -> Path:
        """The set's Configuration, which daprd takes by path."""
        return self.components / "configuration.yaml"

    @property
    def infrastructure(self) -> dict[str, str]:
        """Addresses of the servers behind the set, passwords included."""
        return secrets.read(self.path, secrets.INFRASTRUCTURE)

    @property
    def logs(self) -> Path:
        """Logs of every process of this home."""
        return self.path / "logs"

    def database(self, app_id: str) -> Path:
        """SQLite file of an app (set `local`)."""
        return self.path / ".omnify" / "data" / f"{app_id}.db"

    def resources(self, file: str) -> list[Resource]:
        """The documents of one file of the set."""
        return [item for item in yaml.safe_load_all((self.components / file).read_text()) if item]

    def rewrite(self, file: str, resources: Iterable[Resource]) -> None:
        """Replace one file of the set (before a sidecar starts: hot reload is off)."""
        (self.components / file).write_text(yaml.safe_dump_all(list(resources), sort_keys=False))

    def set_metadata(self, component: str, **values: str) -> None:
        """Set metadata fields of a component, for example `set_metadata("statestore", databaseName="x")`."""
        for file in self.components.glob("*.yaml"):
            documents = self.resources(file.name)
            for document in documents:
                if document["kind"] == "Component" and document["metadata"]["name"] == component:
                    fields = document["spec"]["metadata"]
                    fields[:] = [item for item in fields if item["name"] not in values]
                    fields.extend({"name": name, "value": value} for name, value in values.items())
            self.rewrite(file.name, documents)

    def find_peers(self, ports: Mapping[str, int] | None) -> None:
        """How sidecars find each other: at these internal ports, as on the running platform, or with None by entering
        themselves in a file, for tests whose sidecars come and go on ports that nobody knows beforehand."""
        by_file = {"component": "sqlite", "configuration": {"connectionString": ".omnify/data/names.db"}}
        documents = self.resources("configuration.yaml")
        resolution = documents[0]["spec"]["nameResolution"]
        if ports is None:
            resolution |= by_file
        else:
            resolution |= {"component": "kubernetes", "configuration": {"template": runfile.name_template(ports)}}
        self.rewrite("configuration.yaml", documents)

    def allow_all_apis(self) -> None:
        """Drop the API allow-list, for tests of what the services themselves don't use."""
        documents = self.resources("configuration.yaml")
        documents[0]["spec"].pop("api", None)
        self.rewrite("configuration.yaml", documents)

    def admit(self, app: ExtraApp) -> None:
        """Let an app join. Sidecars that run already have read their components, and do not mind."""
        admission.admit(self.components, app)
        secrets.write(self.path, app.app_id, dict(app.secrets))
