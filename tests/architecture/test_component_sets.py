"""The component sets, dapr.yaml and the services agree: one name means one thing in all of them."""

from typing import Any

import pandas as pd
import pytest

from architecture import repository
from omnify_local import runfile
from omnify_local.guarantees import GUARANTEES, not_offered
from omnify_shared.events.subscriptions import TRIES

SETS = repository.sets()
REFERENCE = "local"
Topics = dict[str, set[str]]


def _scopes(text: str) -> Topics:
    """`app=t1,t2;other=` as a mapping."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {app: {topic for topic in topics.split(",") if topic} for app, _, topics in pairs}


def _topics(set_name: str) -> tuple[Topics, Topics, set[str]]:
    fields = repository.fields(repository.components(set_name)["pubsub"])
    protected = set(fields["protectedTopics"].split(","))
    return _scopes(fields["publishingScopes"]), _scopes(fields["subscriptionScopes"]), protected


@pytest.mark.parametrize("name", SETS)
def test_a_set_has_the_same_components_with_the_same_scopes(name: str) -> None:
    ours, reference = repository.components(name), repository.components(REFERENCE)
    assert {key: sorted(item["scopes"]) for key, item in ours.items()} == {
        key: sorted(item["scopes"]) for key, item in reference.items()
    }
    families = {key: item["spec"]["type"].split(".")[0] for key, item in ours.items()}
    assert families == {key: item["spec"]["type"].split(".")[0] for key, item in reference.items()}


@pytest.mark.parametrize("name", SETS)
def test_every_scope_names_an_app_of_the_run_file(name: str) -> None:
    apps = {app["appID"] for app in repository.run_file()["apps"]}
    publish, subscribe, _ = _topics(name)
    scoped = {app for item in repository.components(name).values() for app in item["scopes"]}
    assert scoped <= apps
    assert set(publish) == set(subscribe) == apps, "an app missing in a topic scope may use every topic"
    assert set(repository.kind(name, "Resiliency")["spec"]["targets"]["apps"]) == apps - {"gateway"}


@pytest.mark.parametrize("name", SETS)
def test_topics_are_protected_and_scoped_alike(name: str) -> None:
    publish, subscribe, protected = _topics(name)
    assert (publish, subscribe, protected) == _topics(REFERENCE)
    assert set().union(*publish.values(), *subscribe.values()) == protected


@pytest.mark.parametrize("name", SETS)
def test_only_a_service_publishes_its_events_and_only_a_consumer_its_dead_letters(name: str) -> None:
    publish, subscribe, _ = _topics(name)
    for app, topics in publish.items():
        assert topics <= {f"{app}-events", f"{app}-activity", f"{app}-deadletters"}
    for app, topics in subscribe.items():
        own = f"{app}-deadletters"
        assert (own in topics) == (own in publish[app]) == bool(topics - {own}), f"{app} consumes without dead letters"


@pytest.mark.parametrize("name", SETS)
def test_the_secret_stores_hold_the_same_names_and_refuse_the_rest(name: str) -> None:
    ours, reference = (repository.kind(each, "Configuration")["spec"] for each in (name, REFERENCE))
    assert ours["secrets"] == reference["secrets"]
    assert all(scope["defaultAccess"] == "deny" for scope in ours["secrets"]["scopes"])
    stores = {
        key for key, item in repository.components(name).items() if item["spec"]["type"].startswith("secretstores.")
    }
    assert {scope["storeName"] for scope in ours["secrets"]["scopes"]} == stores


@pytest.mark.parametrize("name", SETS)
def test_the_configurations_agree_on_what_is_open(name: str) -> None:
    ours, reference = (repository.kind(each, "Configuration")["spec"] for each in (name, REFERENCE))
    assert ours["api"] == reference["api"]
    assert {rule["protocol"] for rule in ours["api"]["allowed"]} == {"http", "grpc"}, "a missing protocol is wide open"
    assert "accessControl" not in ours, "who may call whom is declared in the services: make access"
    assert {"name": "HotReload", "enabled": False} in ours["features"]


@pytest.mark.parametrize("name", SETS)
def test_sidecars_find_each_other_where_the_run_file_puts_them(name: str) -> None:
    template = repository.kind(name, "Configuration")["spec"]["nameResolution"]["configuration"]["template"]
    assert template == runfile.name_template({app.app_id: app.internal for app in runfile.apps(repository.ROOT)})


@pytest.mark.parametrize("name", SETS)
def test_no_secret_and_no_address_is_written_into_a_component(name: str) -> None:
    for component in repository.components(name).values():
        for field, value in repository.fields(component).items():
            delicate = any(word in field.lower() for word in ("password", "host", "brokers", "connectionstring"))
            if delicate and component["spec"]["type"] != "state.sqlite":
                assert isinstance(value, dict), f"{component['metadata']['name']}: {field} is no secretKeyRef"


@pytest.mark.parametrize("name", SETS)
def test_retries_are_bounded_and_matched(name: str) -> None:
    policies = repository.kind(name, "Resiliency")["spec"]
    call = policies["policies"]["retries"]["call"]
    assert 0 < call["maxRetries"] <= 10
    assert call["matching"]["httpStatusCodes"] == "502-504"
    assert "statestore" not in policies["targets"]["components"], "a retried conflict is a lost decision"
    inbound = policies["targets"]["components"]["pubsub"]["inbound"]
    assert inbound["retry"], "without a retry policy the first failure is a dead letter"


def test_kafka_starts_at_the_oldest_event_and_leaves_retries_to_the_policy() -> None:
    fields = repository.fields(repository.components("mongo-kafka")["pubsub"])
    assert (fields["initialOffset"], fields["consumeRetryEnabled"]) == ("oldest", "false")
    assert fields["consumerGroup"] == "{appID}"


@pytest.mark.parametrize("name", SETS)
def test_an_app_that_is_away_does_not_fill_the_dead_letters(name: str) -> None:
    """Its subscriptions are stopped before its event is given up, or the event is never given up (decision 10)."""
    threshold = runfile.app_health_threshold(repository.ROOT / "components" / name)
    retry = repository.kind(name, "Resiliency")["spec"]["policies"]["retries"]["handle"]
    if retry["maxRetries"] != -1:
        assert retry["maxRetries"] + 1 >= TRIES, "the app gives up, not the sidecar"
        assert threshold < sum(_waits(retry))
    if name == runfile.DEFAULT_SET:
        assert repository.run_file()["common"]["appHealthThreshold"] == threshold


def _waits(retry: dict[str, Any]) -> list[float]:
    """Seconds between the attempts of an exponential policy: 0.5 s growing by half."""
    cap = pd.Timedelta(retry["maxInterval"]).total_seconds()
    return [min(0.5 * 1.5**number, cap) for number in range(retry["maxRetries"])]


def test_every_guarantee_has_a_test_and_a_set_misses_only_known_ones() -> None:
    folders = (repository.ROOT / "tests", repository.ROOT / "deploy" / "local" / "tests")
    text = "".join(file.read_text() for folder in folders for file in sorted(folder.rglob("test_*.py")))
    assert {name for name in GUARANTEES if f'mark.guarantee("{name}")' not in text} == set()
    for name in SETS:
        assert not_offered(repository.ROOT / "components" / name) < GUARANTEES.keys()


def test_the_matrix_has_every_guarantee_on_every_set() -> None:
    """`make matrix` refuses to write a page with a failure or a gap; here it is held against today's names."""
    lines = (repository.ROOT / "docs" / "component-sets.md").read_text().splitlines()
    [head] = [line for line in lines if line.startswith("| Guarantee")]
    assert [cell.strip(" `") for cell in head.strip("|").split("|")][1:] == SETS
    for name, meaning in GUARANTEES.items():
        [row] = [line for line in lines if line.startswith(f"| **{name}**: {meaning} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
        for set_name, cell in zip(SETS, cells, strict=True):
            missing = name in not_offered(repository.ROOT / "components" / set_name)
            assert cell == "not offered" if missing else int(cell.removesuffix(" passed")) > 0, f"{set_name}: {name}"
