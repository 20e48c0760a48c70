"""A real Prometheus on a running platform: everything that rules and dashboards name is there, and an alert fires."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from observability.conftest import Observed
from observability.rules import FOLDER, board_expressions, rule_expressions, series_of
from omnify_local import monitoring
from omnify_local.ports import LOOPBACK, free_port
from omnify_local.servers import Prometheus

pytestmark = pytest.mark.timeout(240)
PATIENCE = 90  # seconds, for a busy machine; what is waited for takes a few
SOMETIMES = {"ALERTS"}  # Prometheus' own list of them, empty while all is well


class Api:
    """Prometheus' API (https://prometheus.io/docs/prometheus/latest/querying/api/)."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/v1", timeout=20)

    def get(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def close(self) -> None:
        self._client.close()


def until(seen: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """What is seen once it is as wanted; the last that was seen when it does not become so in time."""
    deadline = time.monotonic() + PATIENCE
    found = seen()
    while not wanted(found) and time.monotonic() < deadline:
        time.sleep(1)
        found = seen()
    return found


@pytest.fixture(scope="module")
def worked(observed: Observed) -> Observed:
    """The platform after a bit of everything: mails, sign-ins good and bad, an import."""
    ada = observed.person().join(observed.platform.inbox)
    ada.http.post("/api/auth/login", json={"email": ada.email, "password": "not the right phrase"})
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "paid"}
    options = {"delimiter": ",", "has_header": True, "date_format": "%Y-%m-%d", "currency": "EUR", "columns": columns}
    ada.wait_for_import(ada.start_import(b"who,when,paid\na,2024-01-01,10.50\n", options))
    return observed


@pytest.fixture(scope="module")
def prometheus(worked: Observed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("prometheus")
    server = Prometheus(folder, free_port(), configured(folder, worked))
    server.start()
    api = Api(server.url)
    try:
        yield api
    finally:
        api.close()
        server.stop()


def configured(folder: Path, observed: Observed) -> Path:
    """deploy/monitoring/prometheus.yaml with this platform's ports, and everything faster: `for` lasts two seconds."""
    token = monitoring.keep_token(folder, observed.metrics_token)
    document = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    document["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    services, sidecars = document["scrape_configs"]
    services["authorization"]["credentials_file"] = str(token)
    for app_id, service in observed.platform.services.items():
        target(services, app_id)["targets"] = [f"{LOOPBACK}:{service.port}"]
        target(sidecars, app_id)["targets"] = [f"{LOOPBACK}:{service.sidecar.ports.metrics}"]
    (folder / "rules").mkdir()
    for file in (FOLDER / "rules").glob("*.yaml"):
        rules = yaml.safe_load(file.read_text())
        for rule in (rule for group in rules["groups"] for rule in group["rules"] if "for" in rule):
            rule["for"] = "2s"
        (folder / "rules" / file.name).write_text(yaml.safe_dump(rules))
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def target(job: dict[str, Any], app_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [part for part in job["static_configs"] if part["labels"]["app"] == app_id]
    return found[0]


def test_all_targets_are_up(prometheus: Api) -> None:
    def states() -> dict[str, str]:
        active = prometheus.get("targets", state="active")["activeTargets"]
        return {f"{one['labels']['job']} {one['labels']['app']}": one["health"] + one["lastError"] for one in active}

    found = until(states, lambda now: set(now.values()) == {"up"})
    assert found == {
        f"{job} {app}": "up"
        for job in ("omnify", "dapr")
        for app in ("gateway", "auth", "analytics", "email", "files", "webhooks")
    }


def test_every_series_that_a_rule_or_a_board_names_exists(prometheus: Api) -> None:
    expressions = [*rule_expressions(), *board_expressions()]
    named = set().union(*(series_of(expression) for _, expression in expressions)) - SOMETIMES
    missing = until(lambda: named - set(prometheus.get("label/__name__/values")), lambda left: not left)
    assert missing == set()


def test_every_board_asks_what_prometheus_answers(prometheus: Api) -> None:
    for place, expression in board_expressions():
        answer = prometheus.get("query", query=expression)
        assert answer["resultType"] == "vector", place


def test_the_labels_that_are_grouped_by_exist(prometheus: Api) -> None:
    for query in ("app:http_requests:rate5m", "app:events_handled:rate5m", "sum by (outcome) (omnify_logins_total)"):
        found = until(lambda query=query: prometheus.get("query", query=query)["result"], bool)  # type: ignore[misc]
        assert all(one["metric"] for one in found), query
    logins = prometheus.get("query", query='omnify_logins_total{outcome=~"success|wrong"}')["result"]
    assert {one["metric"]["outcome"]: float(one["value"][1]) >= 1 for one in logins} == {"success": True, "wrong": True}


def test_no_label_takes_an_id_or_an_address(prometheus: Api, worked: Observed) -> None:
    for label in prometheus.get("labels"):
        values = json.dumps(prometheus.get(f"label/{label}/values"))
        assert "@" not in values, label
        assert values.count(",") < 150, f"{label} takes too many values"
    routes = prometheus.get("label/http_route/values")
    assert {"/api/auth/login", "/api/analytics/imports/{import_id}"} <= set(routes)


def test_a_stopped_service_raises_its_alert_and_its_return_ends_it(prometheus: Api, worked: Observed) -> None:
    def firing() -> set[tuple[str, str]]:
        alerts = prometheus.get("alerts")["alerts"]
        return {
            (one["labels"]["alertname"], one["labels"].get("app", "")) for one in alerts if one["state"] == "firing"
        }

    email = worked.platform.services["email"]
    assert ("ServiceDown", "email") not in firing()
    email.terminate()
    try:
        assert ("ServiceDown", "email") in until(firing, lambda now: ("ServiceDown", "email") in now)
    finally:
        email.start()
    assert ("ServiceDown", "email") not in until(firing, lambda now: ("ServiceDown", "email") not in now)
