"""R7: each service is killed after each step of each journey; nothing promised is lost, blocked or done twice."""

import importlib
import os
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

import omnify_analytics
import omnify_auth
import omnify_email
import omnify_files
import omnify_gateway
import omnify_shared
import omnify_webhooks
from faults.counted import Counted
from faults.counter import COUNTER, counter_in
from faults.deaths import Deaths
from faults.interrupted import Check, Interrupted
from faults.ledger import Drill
from faults.stage import Stage
from omnify_local import paths
from omnify_shared import faults
from omnify_shared.testing import Service
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home

JOURNEYS: Mapping[str, tuple[str, ...]] = {
    "registering": (
        "auth.register.claimed",
        "auth.register.prepared",
        "outbox.event.journalled",
        "outbox.event.written",
        "auth.register.created",
        "outbox.event.published",
        "outbox.event.cleared",
    ),
    "minting": ("auth.verify.minted",),
    "verifying": ("auth.verify.proven", "auth.verify.named", "auth.verify.dropped"),
    "logging_in": ("auth.login.checked", "auth.login.written"),
    "refreshing": ("auth.refresh.read", "auth.refresh.rotated", "auth.refresh.signed"),
    "logging_out": ("auth.logout.ended", "auth.logout.revoked"),
    "resetting": ("auth.reset.asked", "auth.reset.written"),
    "changing": ("auth.password.changed",),
    "moving": ("auth.address.claimed", "auth.address.changed"),
    "erasing": (
        "auth.erasure.prepared",
        "auth.erasure.committed",
        "auth.erasure.deleted",
        "auth.erasure.received",
        "auth.erasure.ended",
        "erasure.request.noted",
        "erasure.part.deleted",
        "erasure.request.completed",
    ),
    "joining": ("auth.invited.registered", "auth.members.listed"),
    "mailing": (
        "email.send.claimed",
        "email.send.minted",
        "email.send.intended",
        "email.send.sent",
        "email.send.recorded",
    ),
    "postponing": ("email.send.listed",),
    "writing_to_customers": ("email.request.written", "email.request.listed", "email.request.queued"),
    "hearing_of_mails": ("email.event.stopped", "email.event.noted"),
    "importing": (
        "analytics.import.stored",
        "analytics.import.created",
        "analytics.import.opened",
        "analytics.import.claimed",
        "analytics.import.leased",
        "analytics.import.parsed",
        "analytics.import.manifest",
        "analytics.import.facts",
        "analytics.import.committed",
        "analytics.import.completed",
        "analytics.import.cleaned",
    ),
    "announcing": ("files.upload.noted", "files.upload.reserved", "files.upload.listed", "files.upload.created"),
    "uploading": ("files.upload.taken", "files.upload.stored", "files.upload.committed", "files.upload.tidied"),
    "judging": (
        "files.process.leased",
        "files.process.fetched",
        "files.process.scanned",
        "files.process.looked",
        "files.process.planned",
        "files.process.made",
        "files.process.judged",
        "files.clean.dropped",
        "files.clean.resized",
    ),
    "dropping": ("files.purge.dropped", "files.purge.freed"),
}
BLOCKS: Mapping[str, tuple[str, ...]] = {
    "requesting": ("idempotency.request.begun", "idempotency.request.worked", "idempotency.request.kept"),
    "handling": ("inbox.event.begun", "inbox.event.handled", "inbox.event.done"),
}
ELSEWHERE = ("webhooks",)  # services whose own tests kill them at each of their points
POINTS = os.environ.get("FAULTS_POINTS", "")  # how the names begin of those to try; all by default
SHORT = (
    "outbox.event.written",
    "auth.refresh.rotated",
    "email.send.minted",
    "analytics.import.facts",
    "files.process.made",
)


@pytest.mark.drill("R7", "a service killed after each step")
@pytest.mark.timeout(1200)
def test_a_service_may_die_after_any_step(stage: Stage, drill: Drill) -> None:
    with closing(Interrupted(stage.platform, drill.ledger)) as interrupted:
        run(drill, interrupted, JOURNEYS)


@pytest.mark.drill("R7", "an app of the shared blocks killed after each step", short=False)
@pytest.mark.timeout(600)
def test_an_app_of_the_shared_blocks_may_die_after_any_step(counter: Service, drill: Drill) -> None:
    with closing(Counted(counter, drill.ledger)) as counted:
        run(drill, counted, BLOCKS)


def run(drill: Drill, deaths: Deaths, journeys: Mapping[str, tuple[str, ...]]) -> None:
    """Starts a journey for each point, in an order of chance, and looks at all of them in the end."""
    drill.ledger.recovery_limit = drill.pick(90, 30)  # a cold start; the short run shares its machine
    steps = [(journey, point) for journey, points in journeys.items() for point in points]
    steps = [step for step in steps if step[1].startswith(POINTS) and (drill.full or step[1] in SHORT)]
    drill.random.shuffle(steps)
    checks: list[Check] = [getattr(deaths, journey)(point) for journey, point in steps]
    for check in checks:
        check()
    drill.ledger.note(points=len(deaths.reached))
    drill.ledger.check(deaths.reached == {point for _, point in steps}, "not every point was come to")
    drill.settle()


@pytest.fixture
def counter(backing: Backing, tmp_path: Path, set_name: str) -> Iterator[Service]:
    service = counter_in(make_home(backing, tmp_path / "home", set_name, [COUNTER]))
    try:
        service.launch()
        service.sidecar.start()
        service.wait(timeout=90)
        service.sidecar.wait_for_app()
        yield service
    finally:
        service.terminate()
        service.sidecar.kill()


def test_every_declared_point_has_its_drill() -> None:
    for package in (
        omnify_shared,
        omnify_auth,
        omnify_email,
        omnify_analytics,
        omnify_files,
        omnify_gateway,
        omnify_webhooks,
    ):
        for name in modules(package):
            importlib.import_module(name)
    drilled = {point for points in (*JOURNEYS.values(), *BLOCKS.values()) for point in points}
    tests = [path for app in ELSEWHERE for path in (paths.repository() / "services" / app).glob("tests/test_*.py")]
    text = "".join(path.read_text() for path in tests)
    own = {point for point in faults.points() if point.startswith(ELSEWHERE) and f'"{point}"' in text}
    assert drilled | own == faults.points()


def modules(package: ModuleType) -> Iterator[str]:
    found = (module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    return (name for name in found if ".testing" not in name and not name.endswith("__main__"))
