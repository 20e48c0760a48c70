"""Every app against every topic: an app that asks for all of them gets its own, and what it may not send goes nowhere.

The apps here are recorders under the services' names, in a home of their own, so that nothing is taken from the real
ones; a second home also keeps their addresses apart.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product

import pytest
from dapr.proto import api_v1

from omnify_local.admission import Guest
from omnify_local.contracts.services import Service
from omnify_local.sentry import Sentry
from omnify_shared.events import topic_of
from omnify_shared.ids import new_id
from omnify_shared.testing import Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from secure import apis
from secure.stage import Recorder, Stage, part_from_others, recorder

LISTENER = "listener"  # an app from outside that was let in to one topic
ELSEWHERE = "elsewhere"


def publishes(service: Service) -> set[str]:
    return {topic_of(event.event_type) for event in service.produces}


def subscribes(service: Service) -> set[str]:
    subscriptions = service.app.state.subscriptions
    return {*subscriptions.topics, subscriptions.dead_letter_topic} if subscriptions else set()


@pytest.fixture(scope="module")
def audience(
    stage: Stage, backing: Backing, sentry: Sentry, tmp_path_factory: pytest.TempPathFactory, set_name: str
) -> Iterator[dict[str, tuple[Sidecar, Recorder]]]:
    """A sidecar and a recorder that subscribes to everything, for each service and a guest."""
    guest = Guest.consumer(LISTENER, ["auth-events"])
    home = make_home(backing, tmp_path_factory.mktemp("topics") / "home", set_name, [guest])
    part_from_others(home, "audience")
    topics = sorted(every_topic(stage))
    with ExitStack() as stack:
        made = {}
        for name in (*stage.services, LISTENER):
            notes = recorder(home.path, name, *topics)
            stack.callback(notes.process.kill)
            sidecar = Sidecar(home, name, app_port=notes.port, identity=sentry.identity(name))
            stack.callback(sidecar.kill)
            sidecar.launch()
            made[name] = (sidecar, notes)
        for sidecar, _ in made.values():
            sidecar.wait(90)
            sidecar.wait_for_app(90)
        yield made


def every_topic(stage: Stage) -> set[str]:
    own = {f"{name}-deadletters" for name in stage.services}
    found = own.union(*map(publishes, stage.services.values()), *map(subscribes, stage.services.values()))
    return found | {f"{LISTENER}-deadletters", ELSEWHERE}


@pytest.mark.timeout(240)
async def test_publishing_and_receiving(stage: Stage, audience: dict[str, tuple[Sidecar, Recorder]]) -> None:
    sent: dict[str, set[str]] = {}
    for app, topic in product(audience, sorted(every_topic(stage))):
        event_id, outcome = await publish(audience[app][0], topic)
        may = app != LISTENER and topic in (publishes(stage.services[app]) | own_letters(stage.services[app]))
        assert (outcome == "ok") == may, f"{app} publishes to {topic}: {outcome}"
        if outcome == "ok":
            sent.setdefault(topic, set()).add(event_id)
    assert {"auth-events", "analytics-events", "auth-deadletters"} <= set(sent)
    wanted = {name: subscribes(service) for name, service in stage.services.items()}
    wanted[LISTENER] = {"auth-events", f"{LISTENER}-deadletters"}
    expected = {name: {event for topic in topics for event in sent.get(topic, ())} for name, topics in wanted.items()}
    everything = set().union(*sent.values())

    def heard(name: str) -> set[str]:
        return {note["event"]["id"] for note in audience[name][1].notes if note["event"]} & everything

    async with asyncio.timeout(90):
        while not all(heard(name) >= events for name, events in expected.items()):
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    assert {name: heard(name) for name in expected} == expected


def own_letters(service: Service) -> set[str]:
    """An app that publishes at all may also fill its own dead letters: its sidecar has to, and scopes know no more."""
    subscriptions = service.app.state.subscriptions
    return {subscriptions.dead_letter_topic} if subscriptions and service.produces else set()


async def publish(sidecar: Sidecar, topic: str) -> tuple[str, str]:
    """An event of no type that anybody knows; its id and how the sidecar answered."""
    event_id = new_id()
    event = {"specversion": "1.0", "id": event_id, "source": "test", "type": "omnify.test.topic.walked.v1", "data": {}}
    request = api_v1.PublishEventRequest(
        pubsub_name="pubsub", topic=topic, data=json.dumps(event).encode(),
        data_content_type="application/cloudevents+json",
    )  # fmt: skip
    async with apis.channel(sidecar) as channel:
        return event_id, await apis.answer(channel, "PublishEvent", request, metadata=apis.token(sidecar))


def test_a_consumer_sees_its_own_token_and_no_other(audience: dict[str, tuple[Sidecar, Recorder]]) -> None:
    for name, (sidecar, notes) in audience.items():
        others = {token for one, (other, _) in audience.items() for token in (other.tokens.api, other.tokens.app)}
        others -= {sidecar.tokens.app}
        text = notes.file.read_text() if notes.file.exists() else ""
        assert not [token for token in others if token in text], name
        given = {dict(note["headers"]).get("Dapr-Api-Token") for note in notes.notes}
        assert given <= {sidecar.tokens.app}, name
