"""What the component sets open to an app is what the app declares, and no more."""

import pytest

from architecture import repository
from omnify_local.contracts import services
from omnify_local.contracts.services import Service
from omnify_shared.events import topic_of

SETS = repository.sets()


@pytest.fixture(scope="module")
def loaded() -> dict[str, Service]:
    return {service.name: service for service in services.load(repository.ROOT)}


def scopes(text: str) -> dict[str, set[str]]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {app: {topic for topic in topics.split(",") if topic} for app, _, topics in pairs}


@pytest.mark.parametrize("name", SETS)
def test_topics_are_those_that_an_app_sends_and_reads(name: str, loaded: dict[str, Service]) -> None:
    fields = repository.fields(repository.components(name)["pubsub"])
    publishing, reading = scopes(fields["publishingScopes"]), scopes(fields["subscriptionScopes"])
    for app, service in loaded.items():
        subscriptions = service.app.state.subscriptions
        letters = {subscriptions.dead_letter_topic} if subscriptions else set()
        assert publishing[app] == {topic_of(event.event_type) for event in service.produces} | letters, app
        assert reading[app] == (set(subscriptions.topics) if subscriptions else set()) | letters, app


@pytest.mark.parametrize("name", SETS)
def test_components_are_those_that_an_app_uses(name: str, loaded: dict[str, Service]) -> None:
    components = repository.components(name)
    with_state = {app for app, service in loaded.items() if service.app.state.platform.uses_state}
    with_events = {app for app, service in loaded.items() if service.produces or service.app.state.subscriptions}
    with_secrets = {app for app, service in loaded.items() if service.app.state.access.secrets}
    with_files = {app for app, service in loaded.items() if "filestore" in service.app.state.access.bindings}
    assert set(components["statestore"]["scopes"]) == with_state
    assert set(components["filestore"]["scopes"]) == with_files
    assert set(components["pubsub"]["scopes"]) == with_events
    assert set(components["secretstore"]["scopes"]) == with_secrets
    stores = repository.kind(name, "Configuration")["spec"]["secrets"]["scopes"]
    [allowed] = [scope["allowedSecrets"] for scope in stores if scope["storeName"] == "secretstore"]
    assert set(allowed) == {secret for service in loaded.values() for secret in service.app.state.access.secrets}
