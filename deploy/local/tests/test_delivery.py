"""What the sets' pub/sub and resiliency settings promise: tries end in the dead letters, nothing is lost."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from dapr.proto import api_service_v1, api_v1

from omnify_local import secrets
from omnify_local.ports import free_port
from omnify_shared.events.subscriptions import TRIES
from omnify_shared.testing import ExtraApp, Service, Sidecar, probe
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import NewHome, NewSidecar

TOPICS = (probe.EVENTS, probe.DEAD_LETTERS)


PROBE = ExtraApp("probe", publishes=TOPICS, subscribes=TOPICS)


@pytest.fixture
def app(new_home: NewHome, new_sidecar: NewSidecar, set_name: str) -> Iterator[Service]:
    service = _started(new_sidecar(new_home(set_name, extra=[PROBE]), "probe", app_port=free_port(), start=False))
    yield service
    service.kill()


def _started(sidecar: Sidecar) -> Service:
    sidecar.launch()
    service = Service(sidecar, "omnify_shared.testing.probe:create_app").start()
    sidecar.wait_for_app()
    return service


def _publish(sidecar: Sidecar, **data: str) -> None:
    token = (("dapr-api-token", sidecar.home.dapr_api_token),)
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.ports.grpc}") as channel:
        request = api_v1.PublishEventRequest(
            pubsub_name="pubsub",
            topic=probe.EVENTS,
            data=json.dumps(data).encode(),
            data_content_type="application/json",
            metadata={"partitionKey": data["name"]},
        )
        api_service_v1.DaprStub(channel).PublishEvent(request, metadata=token, timeout=10)


def _times(app: Service, name: str, topic: str = probe.EVENTS) -> list[float]:
    notes = probe.notes(app.sidecar.home.path)
    return [note["at"] for note in notes if note["topic"] == topic and note["data"]["name"] == name]


def _eventually(holds: Callable[[], object], within: float) -> float:
    """Seconds until it held."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < within
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.mark.guarantee("dead letters")
def test_an_event_that_keeps_failing_reaches_the_dead_letters_once(app: Service) -> None:
    _publish(app.sidecar, name="poison", do="retry")
    _publish(app.sidecar, name="fine", do="succeed")
    _eventually(lambda: _times(app, "poison", probe.DEAD_LETTERS), within=45)
    _eventually(lambda: _times(app, "fine"), within=45)
    assert (len(_times(app, "poison")), len(_times(app, "fine"))) == (TRIES, 1)
    time.sleep(1)
    assert len(_times(app, "poison", probe.DEAD_LETTERS)) == 1


@pytest.mark.guarantee("consumer crash")
def test_a_killed_consumer_gets_its_event_again(app: Service) -> None:
    _publish(app.sidecar, name="interrupted", do="hang")
    _eventually(lambda: _times(app, "interrupted"), within=45)
    app.sidecar.kill()
    app.kill()
    app.launch()
    app.sidecar.start()
    _eventually(lambda: len(_times(app, "interrupted")) >= 2, within=45)


@pytest.mark.guarantee("consumer away")
@pytest.mark.parametrize("seconds", [0, 14])
def test_an_app_that_was_away_loses_nothing(app: Service, seconds: int) -> None:
    """For the time of a restart, and for longer than any retries of a sidecar would last."""
    _publish(app.sidecar, name="interrupted", do="hang")
    _eventually(lambda: _times(app, "interrupted"), within=45)
    app.kill()
    time.sleep(seconds)
    app.start()
    _eventually(lambda: len(_times(app, "interrupted")) >= 2, within=45)
    assert not _times(app, "interrupted", probe.DEAD_LETTERS)
    _publish(app.sidecar, name="later", do="succeed")
    _eventually(lambda: _times(app, "later"), within=45)


@pytest.mark.guarantee("servers of your own")
def test_servers_that_the_environment_names_are_used_and_none_is_started(
    new_home: NewHome, new_sidecar: NewSidecar, set_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for entry, address in new_home(set_name).infrastructure.items():
        monkeypatch.setenv(secrets.VARIABLES[entry], address)
    backing = Backing(tmp_path / "servers")
    home = backing.home(tmp_path / "brought" / "home", set_name, [PROBE])
    app = _started(new_sidecar(home, "probe", app_port=free_port(), start=False))
    try:
        _publish(app.sidecar, name="brought", do="succeed")
        _eventually(lambda: _times(app, "brought"), within=45)
        assert backing.started == []
    finally:
        app.kill()
