"""Secrets through a real sidecar: own ones, denied ones, and no placeholder in production."""

import pytest

from omnify_shared import secrets
from omnify_shared.access import UndeclaredUse
from omnify_shared.dapr.errors import MissingSecret, SidecarError, SidecarUnavailable
from omnify_shared.secrets import Secrets
from omnify_shared.settings import Environment
from support.lab import SECRET, Lab

OTHERS = ["auth-pepper", "no-such-secret", "redis-password", "", "../auth", "lab-secret "]


def of(lab: Lab, environment: Environment) -> Secrets:
    return Secrets(lab.platform.sidecar, environment, ["lab-secret", "lab-placeholder", "lab-short", *OTHERS])


async def test_an_undeclared_secret_is_not_even_asked_for(lab: Lab) -> None:
    with pytest.raises(UndeclaredUse, match="'lab-other' is read and not declared"):
        await of(lab, "test").get("lab-other")


async def test_an_own_secret(lab: Lab) -> None:
    assert await of(lab, "production").get("lab-secret") == SECRET


@pytest.mark.parametrize("name", OTHERS)
async def test_other_secrets_are_refused_without_their_value(lab: Lab, name: str) -> None:
    with pytest.raises(SidecarError) as refusal:
        await of(lab, "test").get(name)
    assert refusal.value.status == 503


@pytest.mark.parametrize("name", ["lab-placeholder", "lab-short"])
async def test_a_placeholder_is_refused_in_production_only(lab: Lab, name: str) -> None:
    with pytest.raises(MissingSecret) as refusal:
        await of(lab, "production").get(name)
    assert name in refusal.value.detail
    assert "0123456789" not in refusal.value.detail
    assert await of(lab, "development").get(name)


async def test_a_secret_is_read_once_until_it_is_old(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made = of(lab, "test")
    reads = 0
    fetch = made._fetch

    async def counted(name: str) -> str:
        nonlocal reads
        reads += 1
        return await fetch(name)

    monkeypatch.setattr(made, "_fetch", counted)
    for _ in range(3):
        await made.get("lab-secret")
    assert reads == 1
    monkeypatch.setattr(secrets, "CACHE", 0.0)
    await made.get("lab-secret")
    assert reads == 2


async def test_an_old_secret_serves_while_the_sidecar_is_away(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    made = of(lab, "test")
    await made.get("lab-secret")
    monkeypatch.setattr(secrets, "CACHE", 0.0)

    async def away(_: str) -> str:
        raise SidecarUnavailable("away")

    monkeypatch.setattr(made, "_fetch", away)
    assert await made.get("lab-secret") == SECRET
    with pytest.raises(SidecarUnavailable):
        await made.get("lab-placeholder")
