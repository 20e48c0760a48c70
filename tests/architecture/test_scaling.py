"""What brings a service back from zero is what it reads."""

import pytest
import yaml

from architecture import repository
from omnify_local.contracts import services

SCALED = ("email", "files", "webhooks")


@pytest.mark.parametrize("app", SCALED)
def test_every_topic_that_a_service_reads_wakes_it_and_so_does_the_clock(app: str) -> None:
    [scaled] = yaml.safe_load_all((repository.ROOT / "deploy" / "keda" / f"{app}.yaml").read_text())
    assert (scaled["metadata"]["name"], scaled["spec"]["scaleTargetRef"]["name"]) == (app, app)
    assert scaled["spec"]["minReplicaCount"] == 0
    kafka = [one["metadata"] for one in scaled["spec"]["triggers"] if one["type"] == "kafka"]
    [service] = [one for one in services.load(repository.ROOT) if one.name == app]
    subscriptions = service.app.state.subscriptions
    assert sorted(one["topic"] for one in kafka) == sorted([*subscriptions.topics, subscriptions.dead_letter_topic])
    group = repository.fields(repository.components("mongo-kafka")["pubsub"])["consumerGroup"]
    assert {one["consumerGroup"] for one in kafka} == {group.replace("{appID}", app)}
    assert {one["offsetResetPolicy"] for one in kafka} == {"earliest"}, "a group that never read begins at the first"
    assert [one["type"] for one in scaled["spec"]["triggers"]].count("cron") == 1
