"""`make app`: an app is let into a copy of the running platform's set, with exactly what it asked for."""

import json
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from omnify_local import guests, paths, secrets
from omnify_local.errors import LocalError
from omnify_local.processes import Process


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout's folder in which a platform says that it runs on the set `local`."""
    shutil.copytree(paths.repository() / "components", tmp_path / "components")
    secrets.ensure(tmp_path)
    report = {"set": "local", "profile": "plain", "apps": {"auth": {}}}
    (tmp_path / ".omnify" / "run.json").write_text(json.dumps(report))
    return tmp_path


def _components(folder: Path) -> dict[str, list[str]]:
    documents = [item for file in folder.glob("*.yaml") for item in yaml.safe_load_all(file.read_text())]
    return {item["metadata"]["name"]: item["scopes"] for item in documents if item["kind"] == "Component"}


def _topics(folder: Path, field: str) -> list[str]:
    [pubsub] = yaml.safe_load_all((folder / "pubsub.yaml").read_text())
    [value] = [item["value"] for item in pubsub["spec"]["metadata"] if item["name"] == field]
    return str(value).split(";")


def test_an_app_gets_its_topics_and_nothing_else(root: Path) -> None:
    daprd = guests.prepare(root, "shop", 7010, ["auth-events"])
    before, after = _components(root / "components" / "local"), _components(daprd.components)
    assert {name for name in after if after[name] != before[name]} == {"pubsub", "infrastructure"}
    assert "shop=auth-events,shop-deadletters" in _topics(daprd.components, "subscriptionScopes")
    assert "shop=shop-deadletters" in _topics(daprd.components, "publishingScopes")
    assert "shop-deadletters" in _topics(daprd.components, "protectedTopics")[0].split(",")


def test_an_app_that_only_calls_gets_no_component(root: Path) -> None:
    daprd = guests.prepare(root, "shop", None, [])
    assert _components(daprd.components) == _components(root / "components" / "local")
    assert "shop=" in _topics(daprd.components, "subscriptionScopes"), "who is not named may use open topics"


def test_its_environment_is_for_its_owner_only_and_its_sidecar_starts(root: Path) -> None:
    daprd = guests.prepare(root, "shop", None, [])
    file = root / ".omnify" / "apps" / "shop" / "env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in file.read_text().splitlines())
    tokens = secrets.read(root, secrets.TOKENS)
    assert (values["DAPR_HTTP_PORT"], values["DAPR_API_TOKEN"]) == (str(daprd.http), tokens["dapr-api-token"])
    log = root / "daprd.log"
    process = Process("daprd", daprd.command(), log=log, cwd=root, env=daprd.environment(guests.tokens(root)))
    try:
        process.wait_until(lambda: guests.answers(daprd), timeout=120)
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("app_id", "port", "topics", "reason"),
    [
        ("auth", 7010, [], "a new name"),
        ("../shop", 7010, [], "a new name"),
        ("", 7010, [], "a new name"),
        ("shop", None, ["auth-events"], "PORT is missing"),
        ("shop", 7010, ["email-deadletters"], "there is no topic email-deadletters; there are: auth-events"),
    ],
)
def test_what_can_not_be_let_in_is_said(
    root: Path, app_id: str, port: int | None, topics: list[str], reason: str
) -> None:
    with pytest.raises(LocalError, match=reason):
        guests.prepare(root, app_id, port, topics)
    assert not (root / ".omnify" / "apps").exists()


def test_it_needs_a_running_platform(root: Path) -> None:
    (root / ".omnify" / "run.json").unlink()
    with pytest.raises(LocalError, match="make up"):
        guests.prepare(root, "shop", None, [])
