"""A platform that exports to a real OpenTelemetry Collector, beside the session's platform and on the same servers."""

import json
import os
import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from observability.spans import Span, spans_of
from omnify_local import monitoring, secrets
from omnify_local.journey import Marketer
from omnify_local.ports import free_port
from omnify_local.servers import Collector
from omnify_shared.testing import Platform
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home


@dataclass
class Observed:
    """A running platform, its collector, and what Prometheus needs to read its metrics."""

    platform: Platform
    collector: Collector
    metrics_token: str
    people: list[Marketer] = field(default_factory=list)

    @property
    def logs(self) -> list[Path]:
        """The logs of all services and sidecars."""
        return sorted(self.platform.home.logs.glob("*.log"))

    def lines(self, app_id: str, **fields: Any) -> list[dict[str, Any]]:
        """A service's log lines that have these fields."""
        text = self.platform.services[app_id].log.read_text()
        found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in found if line.items() >= fields.items()]

    def spans(self) -> list[Span]:
        """Every span received so far."""
        return list(spans_of(self.collector))

    def metrics(self, app_id: str) -> str:
        """What a service shows to Prometheus."""
        headers = {"authorization": f"Bearer {self.metrics_token}"}
        answer = httpx.get(f"{self.platform.services[app_id].url}/metrics", headers=headers, timeout=10)
        assert answer.status_code == 200
        return answer.text

    def person(self) -> Marketer:
        """Somebody who has not signed up yet."""
        self.people.append(Marketer(self.platform.url))
        return self.people[-1]

    def close(self) -> None:
        """Closes the connections of everybody."""
        for person in self.people:
            person.close()
        self.platform.inbox.close()


@pytest.fixture(scope="session")
def observed(backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    collector = Collector(folder / "collector", free_port())
    home = make_home(backing, folder / "home", set_name)
    token = secrets.read(home.path, secrets.TOKENS)["metrics-token"]
    exporting = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}
    exporting |= {"OTEL_BSP_SCHEDULE_DELAY": "200", **monitoring.exporting(exporting)}
    platform = Platform(home, backing.mailbox, {"OMNIFY_METRICS_TOKEN": token, **exporting})
    running = Observed(platform, collector, token)
    try:
        collector.start()
        # Sidecars take it from here; services take it from the platform, so that it is there after a restart too.
        with pytest.MonkeyPatch.context() as patch:
            for name, value in exporting.items():
                patch.setitem(os.environ, name, value)
            platform.start(120)
        yield running
    finally:
        platform.stop()
        running.close()
        collector.stop()


def new_trace() -> tuple[str, str]:
    """A caller's trace id and trace parent."""
    trace_id = random.token_hex(16)
    return trace_id, f"00-{trace_id}-{random.token_hex(8)}-01"
