"""Rules, alerts, their unit tests, the runbook and the dashboards, by Prometheus' own tool and against each other."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.rules import BOARDS, FOLDER, alerts, board, board_expressions, promtool, rule_expressions, series_of
from omnify_local import paths, runfile


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    promtool("check", "config", "--syntax-only", "prometheus.yaml")
    files = sorted(str(file) for file in (FOLDER / "rules").glob("*.yaml"))
    assert promtool("check", "rules", *files).count("SUCCESS") == len(files) > 1


def test_every_app_and_its_sidecar_is_scraped() -> None:
    jobs = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())["scrape_configs"]
    found = {
        job["job_name"]: {part["labels"]["app"]: part["targets"] for part in job["static_configs"]} for job in jobs
    }
    apps = runfile.apps(paths.repository())
    assert found["omnify"] == {app.app_id: [f"127.0.0.1:{app.port}"] for app in apps}
    assert found["dapr"] == {app.app_id: [f"127.0.0.1:{app.metrics}"] for app in apps}


def _targets(job: dict[str, Any]) -> dict[str, list[str]]:
    return {part["labels"]["app"]: part["targets"] for part in job["static_configs"]}


def test_every_alert_fires_and_does_not_fire_in_a_unit_test() -> None:
    promtool("test", "rules", "tests/alerts.yaml")
    tested: dict[str, set[bool]] = {}
    for case in yaml.safe_load((FOLDER / "tests" / "alerts.yaml").read_text())["tests"]:
        for check in case["alert_rule_test"]:
            tested.setdefault(check["alertname"], set()).add(bool(check["exp_alerts"]))
    assert tested == {alert["alert"]: {True, False} for alert in alerts()}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_how_long_how_bad_and_what_to_do(alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+m", alert["for"])
    assert alert["labels"]["severity"] in {"critical", "warning"}
    page, anchor = alert["annotations"]["runbook"].split("#")
    sections = re.split(r"^### ", (paths.repository() / page).read_text(), flags=re.MULTILINE)[1:]
    found = {section.partition("\n")[0].lower(): section for section in sections}
    assert anchor == alert["alert"].lower()
    assert "First:" in found[anchor], "a section names the first thing to look at"


def test_the_runbook_has_no_section_without_an_alert() -> None:
    sections = re.findall(r"^### (\w+)$", (paths.repository() / "docs/runbook.md").read_text(), flags=re.MULTILINE)
    assert sorted(sections) == sorted(alert["alert"] for alert in alerts())


@pytest.mark.parametrize("file", BOARDS, ids=lambda file: file.stem)
def test_a_dashboard_is_one_that_grafana_takes(file: Path) -> None:
    document = board(file)
    assert document["uid"]
    assert document["title"]
    assert document["schemaVersion"] >= 36
    variables = {variable["name"]: variable["type"] for variable in document["templating"]["list"]}
    assert variables["datasource"] == "datasource"
    panels = document["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert {source["uid"] for source in sources} == {"${datasource}"}
        used = set(re.findall(r"\$(\w+)", " ".join(target["expr"] for target in panel["targets"])))
        assert used <= variables.keys()


def test_panels_do_not_overlap() -> None:
    for file in BOARDS:
        taken: set[tuple[int, int]] = set()
        for place in (panel["gridPos"] for panel in board(file)["panels"]):
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert taken.isdisjoint(cells), file.name
            taken |= cells


def test_series_are_found_in_expressions() -> None:
    expression = (
        'histogram_quantile(0.9, sum by (app, le) (rate(a_bucket{x=~"b c|d"}[5m]))) > 2 and x:y:z / vector(0) or up'
    )
    assert series_of(expression) == {"a_bucket", "x:y:z", "up"}
    assert all(series_of(expression) for _, expression in [*rule_expressions(), *board_expressions()])
