"""The OpenTelemetry Collector: receives OTLP as production's would, and writes what it decoded to a file."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from omnify_local import go, paths
from omnify_local.ports import LOOPBACK, answers
from omnify_local.servers.base import Server

VERSION = "0.165.0"
_SOURCE = Path(__file__).parents[1] / "collector"
_NAME = "collector"


def collector() -> Path:
    """The program, built once for this user. LocalError says what is missing."""
    folder = paths.cache() / "collector" / VERSION
    go.build_once(folder, _complete, _build, what="the OpenTelemetry Collector")
    return folder / _NAME


def _complete(folder: Path) -> bool:
    return os.access(folder / _NAME, os.X_OK)


def _build(result: Path, scratch: Path) -> None:
    print(f"Building the OpenTelemetry Collector {VERSION} once for this user (1 to 5 minutes)", flush=True)
    go.compile_program(_SOURCE, result / _NAME, ".", "-s -w", scratch)


class Collector(Server):
    """Takes OTLP over HTTP at `url`; `received` reads what came."""

    name = "Collector"
    start_timeout = 30

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT takes."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def files(self) -> dict[str, Path]:
        """Where traces and metrics are written, one export as JSON per line."""
        return {kind: self.folder / f"{kind}.jsonl" for kind in ("traces", "metrics")}

    def prepare(self) -> None:
        """See Server."""
        collector()
        (self.folder / "collector.yaml").write_text(yaml.safe_dump(self._configuration()))

    def command(self) -> list[str]:
        """See Server."""
        return [str(collector()), f"--config=file:{self.folder / 'collector.yaml'}"]

    def ready(self) -> bool:
        """See Server."""
        return answers(self.port)

    def received(self, kind: str) -> Iterator[dict[str, Any]]:
        """The exports of `traces` or `metrics`, in OTLP's JSON encoding; a line still being written is left out."""
        file = self.files[kind]
        for line in file.read_text().splitlines(keepends=True) if file.exists() else ():
            if line.endswith("\n"):
                yield json.loads(line)

    def _configuration(self) -> dict[str, Any]:
        exporters = {
            f"file/{kind}": {"path": str(path), "flush_interval": "200ms"} for kind, path in self.files.items()
        }
        return {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"{LOOPBACK}:{self.port}"}}}},
            "exporters": exporters,
            "service": {
                "pipelines": {kind: {"receivers": ["otlp"], "exporters": [f"file/{kind}"]} for kind in self.files},
            },
        }
