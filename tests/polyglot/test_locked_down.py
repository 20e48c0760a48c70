"""The locked-down profile lets in an app that a service's allow list names, as the guide says, and nobody else."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from omnify_local import admission
from omnify_local.admission import Guest
from omnify_local.ports import free_port
from omnify_local.sentry import Sentry
from omnify_shared.testing import Service, Sidecar
from omnify_shared.testing.plugin import NewHome, NewSidecar

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def sentry(tmp_path: Path) -> Iterator[Sentry]:
    authority = Sentry(tmp_path / "sentry", free_port(), free_port())
    authority.start()
    yield authority
    authority.kill()


@pytest.fixture
def auth(new_home: NewHome, new_sidecar: NewSidecar, sentry: Sentry, tmp_path: Path) -> Iterator[Service]:
    """The auth service behind a sidecar whose allow list names the app `shop` too."""
    home = new_home("local", extra=[Guest.consumer("shop"), Guest.consumer("stranger")])
    identity = sentry.identity("auth")
    [shipped] = identity.configurations
    allow_list = Path(shutil.copy(shipped, tmp_path / "auth.yaml"))
    admission.admit_caller(allow_list, "shop")
    identity = dataclasses.replace(identity, configurations=(allow_list,))
    sidecar = new_sidecar(home, "auth", app_port=free_port(), identity=identity, start=False)
    sidecar.launch()
    service = Service(sidecar)
    service.launch()
    try:
        service.wait(timeout=120)
        sidecar.wait_for_app(120)
        yield service
    finally:
        service.kill()


def ask(caller: Sidecar, path: str) -> httpx.Response:
    url = f"{caller.url}/v1.0/invoke/auth/method{path}"
    return httpx.get(url, headers={"dapr-api-token": caller.tokens.api}, timeout=30)


def test_the_named_app_gets_in_where_its_policy_says(auth: Service, new_sidecar: NewSidecar, sentry: Sentry) -> None:
    home = auth.sidecar.home
    shop, stranger = (
        new_sidecar(home, name, identity=sentry.identity(name), start=False).start(120) for name in ("shop", "stranger")
    )
    assert ask(shop, "/.well-known/jwks.json").json()["keys"]
    problem = ask(shop, "/api/auth/me")
    assert (problem.status_code, problem.headers["content-type"]) == (401, "application/problem+json")
    for caller, path in ((shop, "/internal/users/u/contact"), (shop, "/metrics"), (stranger, "/api/auth/me")):
        refused = ask(caller, path)
        assert refused.status_code == 403, refused.text
        assert refused.headers["content-type"] != "application/problem+json", "the sidecar refuses, not the service"
