"""dapr.yaml as the runner and the tests read it, and its copy for another component set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK

DEFAULT_SET = "local"
MAIN_SETS = (DEFAULT_SET, "mongo-kafka")  # what every test runs on; the other sets run the tests of guarantees


@dataclass(frozen=True)
class App:
    """One app of the run file. `command` is what starts it; `max_body_mib` the sidecar's limit per request."""

    app_id: str
    port: int
    http: int
    grpc: int
    internal: int
    metrics: int
    max_body_mib: int
    command: tuple[str, ...]

    @property
    def url(self) -> str:
        """The app's own address."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def sidecar_url(self) -> str:
        """Its sidecar's HTTP API."""
        return f"http://{LOOPBACK}:{self.http}"

    @property
    def ports(self) -> dict[str, int]:
        """Every port this app takes, by what takes it."""
        own = {self.app_id: self.port}
        names = {"HTTP API": self.http, "gRPC API": self.grpc, "internal gRPC": self.internal, "metrics": self.metrics}
        return own | {f"sidecar of {self.app_id} ({name})": port for name, port in names.items()}


def apps(root: Path) -> list[App]:
    """The apps of `root`/dapr.yaml in their order."""
    document = yaml.safe_load((root / "dapr.yaml").read_text())
    return [
        App(
            app_id=item["appID"],
            port=item["appPort"],
            http=item["daprHTTPPort"],
            grpc=item["daprGRPCPort"],
            internal=item["daprInternalGRPCPort"],
            metrics=item["metricsPort"],
            max_body_mib=item.get("daprHTTPMaxRequestSize", 4),
            command=tuple(item["command"]),
        )
        for item in document["apps"]
    ]


def sets(root: Path) -> list[str]:
    """Names of the component sets: the embedded one, the reference, then the others by name."""
    names = sorted(folder.parent.name for folder in (root / "components").glob("*/configuration.yaml"))
    return sorted(names, key=lambda name: MAIN_SETS.index(name) if name in MAIN_SETS else len(MAIN_SETS))


def for_set(root: Path, set_name: str) -> Path:
    """The run file for a set: dapr.yaml itself, or a copy under .omnify/ with that set's folder and threshold."""
    if set_name not in sets(root):
        raise LocalError(f"there is no component set {set_name!r}; there are: {', '.join(sets(root))}")
    if set_name == DEFAULT_SET:
        return root / "dapr.yaml"
    text = (root / "dapr.yaml").read_text()
    text = text.replace(f"components/{DEFAULT_SET}", f"../components/{set_name}").replace(
        "appDirPath: .", "appDirPath: .."
    )
    ours = f"appHealthThreshold: {app_health_threshold(root / 'components' / DEFAULT_SET)}"
    text = text.replace(ours, f"appHealthThreshold: {app_health_threshold(root / 'components' / set_name)}")
    copy = root / ".omnify" / f"dapr.{set_name}.yaml"
    copy.write_text(text)
    return copy


def app_health_threshold(components: Path) -> int:
    """How many failed probes, one a second, make an app count as down: a set's own choice, on its Configuration."""
    document = yaml.safe_load((components / "configuration.yaml").read_text())
    return int(document["metadata"]["annotations"]["dapr.io/app-health-threshold"])


def name_template(ports: Mapping[str, int]) -> str:
    """The template by which a sidecar finds its peers: the internal gRPC port of each app-id on this machine."""
    cases = [f'if eq .ID "{app_id}"}}}}{LOOPBACK}:{port}' for app_id, port in ports.items()]
    return "{{" + "{{else ".join(cases) + "{{end}}"


def component_types(root: Path, set_name: str) -> set[str]:
    """Types of the set's components, such as `pubsub.redis`."""
    found = set()
    for file in (root / "components" / set_name).glob("*.yaml"):
        for document in yaml.safe_load_all(file.read_text()):
            if document and document["kind"] == "Component":
                found.add(document["spec"]["type"])
    return found
