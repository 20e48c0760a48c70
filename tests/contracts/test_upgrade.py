"""A platform that is started on what the released version left behind works on, and the released version could go on
with what it writes."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from jsonschema import Draft202012Validator

from omnify_local import paths
from omnify_local.contracts import files, services, state
from omnify_local.contracts.services import Service
from omnify_local.journey import Marketer
from omnify_shared.access import OPERATOR
from omnify_shared.envelope import GONE
from omnify_shared.testing import Home, Platform
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from support import golden
from support.people import LIVES_LONG, address

KNOWN = golden.known()
RELEASED = paths.repository() / files.FOLDER / files.RELEASED / "state"
pytestmark = pytest.mark.timeout(400)  # the first test starts the set's servers and the platform
STORING = ("auth", "analytics", "email", "files", "webhooks")
DAY = 86_400.0  # seconds


class Upgraded:
    """The platform on the golden documents, and how many mails there were before it started."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        names = ("carol", "dora", "erin")
        self._people: list[Marketer] = []
        self._mails = {name: len(platform.inbox.mails(address(name))) for name in names}

    def start(self) -> None:
        sidecars = [service.sidecar for service in self.platform.services.values()]
        for sidecar in sidecars:
            sidecar.launch()
        for sidecar in sidecars:
            sidecar.wait(120)
        asyncio.run(self._fill())
        for service in self.platform.services.values():
            service.launch()
        self.platform.wait(120)

    async def _fill(self) -> None:
        until = time.time() + DAY
        for app_id in STORING:
            async with golden.beside(self.platform.services[app_id].sidecar) as blocks:
                for key, data in golden.stored(app_id).items():
                    await blocks.state.put(key, golden.living(data, until))

    async def values(self, app_id: str) -> dict[str, bytes]:
        """What an app stores by now: all of it on SQLite, elsewhere what became of the golden documents."""
        home: Home = self.platform.home
        if home.database(app_id).exists():
            return dict(golden.rows(home, app_id))
        async with golden.beside(self.platform.services[app_id].sidecar) as blocks:
            found = await blocks.state.get_many(golden.stored(app_id))
        # A deletion's mark is the one thing that the released version can't read: decision 2.
        return {key: entry.data for key, entry in found.items() if entry.data != GONE}

    def mail_to(self, name: str) -> None:
        """Waits for a mail that the released version did not send."""
        self.platform.inbox.wait_for(address(name), count=self._mails[name] + 1, timeout=60)

    def person(self, name: str) -> Marketer:
        return self._known(Marketer(self.platform.url, address(name), KNOWN["password"]))

    def newcomer(self) -> Marketer:
        return self._known(Marketer(self.platform.url))

    def _known(self, person: Marketer) -> Marketer:
        self._people.append(person)
        return person

    def close(self) -> None:
        for person in self._people:
            person.close()
        self.platform.stop()
        self.platform.inbox.close()

    def post(self, path: str, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.platform.url}/api/auth/{path}", json=body, timeout=60)


@pytest.fixture(scope="module")
def upgraded(backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str) -> Iterator[Upgraded]:
    home = make_home(backing, tmp_path_factory.mktemp(f"upgrade-{set_name}") / "home", set_name)
    golden.give_secrets(home)
    _read_on_its_own(home)
    platform = Platform(home, backing.mailbox, LIVES_LONG | backing.scanner)
    made = Upgraded(platform)
    try:
        made.start()
        yield made
    finally:
        made.close()


def _read_on_its_own(home: Home) -> None:
    """Kafka is shared by all homes of a session: with groups of its own, no other platform takes an event away."""
    for document in home.resources("pubsub.yaml"):
        if document["spec"].get("type") == "pubsub.kafka":
            home.set_metadata("pubsub", consumerGroup="upgrade-{appID}")


@pytest.fixture(scope="module")
def loaded() -> list[Service]:
    return services.load(paths.repository())


def test_an_account_signs_in_and_sees_its_figures(upgraded: Upgraded) -> None:
    ada = upgraded.person("ada")
    ada.log_in()
    assert ada.tokens["user"]["user_id"] == KNOWN["user_id"]
    assert ada.ask("GET", "/api/auth/me", 200)["full_name"] == "Ada"
    assert ada.ask("GET", f"/api/analytics/imports/{KNOWN['import_id']}", 200) == KNOWN["import"]
    overview = ada.overview("2024-01-01", "2024-03-31")
    assert overview["series"][0] == KNOWN["overview"]["series"][0], "February may have the left import in it already"


def test_an_import_that_was_left_half_way_is_carried_out(upgraded: Upgraded) -> None:
    ada = upgraded.person("ada")
    ada.log_in()
    done = ada.wait_for_import(KNOWN["left_import_id"], 90)
    assert (done["status"], done["rows_accepted"]) == ("completed", 1)
    assert ada.overview("2024-01-01", "2024-03-31")["revenue"] == "119.75"
    assert ada.start_import(KNOWN["orders"].encode(), KNOWN["options"]) == KNOWN["import_id"], (
        "the same bytes are the same import"
    )


def test_a_session_goes_on_and_an_ended_one_stays_ended(upgraded: Upgraded) -> None:
    fresh = upgraded.post("refresh", refresh_token=KNOWN["refresh_token"])
    assert (fresh.status_code, fresh.json()["session_id"]) == (200, KNOWN["session_id"])
    assert upgraded.post("refresh", refresh_token=fresh.json()["refresh_token"]).status_code == 200
    assert upgraded.post("refresh", refresh_token=KNOWN["ended_refresh_token"]).status_code == 401


def test_a_link_that_was_mailed_before_proves_the_address(upgraded: Upgraded) -> None:
    assert upgraded.post("verify-email", token=KNOWN["bob_token"]).status_code == 200
    bob = upgraded.person("bob")
    bob.log_in()
    assert bob.tokens["user"]["email"] == address("bob")


def test_an_event_that_a_killed_replica_left_is_published(upgraded: Upgraded) -> None:
    upgraded.mail_to("carol")


def test_a_mail_that_waited_is_sent(upgraded: Upgraded) -> None:
    upgraded.mail_to("dora")


def test_a_dead_letter_is_listed_and_replayed(upgraded: Upgraded) -> None:
    email = upgraded.platform.services["email"]
    headers = email.headers | {"dapr-caller-app-id": OPERATOR}
    with httpx.Client(base_url=email.url, headers=headers, timeout=60) as client:
        listed = client.get("/dead-letters").json()["items"]
        assert [letter["id"] for letter in listed] == [KNOWN["dead_letter"]]
        assert listed[0]["reason"] == "PermanentError: auth: refused with 400"
        client.post(f"/dead-letters/{KNOWN['dead_letter']}/replay").raise_for_status()
    upgraded.mail_to("erin")


async def test_the_released_version_reads_what_is_written_now(upgraded: Upgraded, loaded: list[Service]) -> None:
    newcomer = upgraded.newcomer()
    await asyncio.to_thread(newcomer.join, upgraded.platform.inbox)
    status = newcomer.wait_for_import(newcomer.start_import(KNOWN["orders"].encode(), KNOWN["options"]))
    assert status["status"] == "completed"
    names = {form: place for place, form in state.forms(loaded).items()}
    seen = set()
    for service in (one for one in loaded if one.stores):
        for key, data in (await upgraded.values(service.name)).items():
            form = service.app.state.platform.state.forms.of(key)
            assert form is not None, f"{service.name} stores {key} in a form that nobody noted"
            seen.add(names[form])
            promised = RELEASED / f"{'/'.join(names[form])}.json"
            reason = _refused(json.loads(data), json.loads(promised.read_text())) if promised.exists() else None
            assert reason is None, f"{promised.stem}: the released version can't read {key}: {reason}"
    assert {("auth", "user"), ("auth", "session"), ("analytics", "ledger"), ("email", "mail")} <= seen


def _refused(document: Any, promised: Any) -> str | None:
    version = str(document["v"]) if promised["enveloped"] else str(promised["writes"])
    if version not in promised["reads"]:
        return f"it is version {version}"
    validator = Draft202012Validator(promised["reads"][version])
    error = next(validator.iter_errors(document["d"] if promised["enveloped"] else document), None)
    return error and error.message
