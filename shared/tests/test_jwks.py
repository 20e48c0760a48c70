"""The key set, fetched from auth through two real sidecars."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from omnify_local.ports import free_port
from omnify_shared import jwks as key_set
from omnify_shared.testing import Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from support.lab import LAB, Lab, lab_on, serving
from support.tokens import Signer, bearer


@dataclass
class Pair:
    """The lab beside a stand-in for auth that publishes the keys of `signer`."""

    lab: Lab
    auth: Sidecar
    signer: Signer
    answer: Any = None

    async def status(self, token: str) -> int:
        return (await self.lab.direct.get("/me", headers=bearer(token))).status_code


@pytest.fixture
async def pair(backing: Backing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(key_set, "JWKS_MIN_INTERVAL", 0.2)
    signer, app, port = Signer(), FastAPI(), free_port()
    home = make_home(backing, tmp_path / "home", "local", [LAB])
    auth = Sidecar(home, "auth", app_port=port)
    pair: Pair

    @app.get("/.well-known/jwks.json")
    async def jwks() -> Any:
        return pair.answer or await signer.source()

    @app.get("/health/live")
    async def live() -> str:
        return "alive"

    try:
        async with serving(app, port), lab_on(home) as lab:
            await asyncio.to_thread(auth.start)
            await asyncio.to_thread(auth.wait_for_app)
            pair = Pair(lab, auth, signer)
            yield pair
    finally:
        await asyncio.to_thread(auth.terminate)


async def test_keys_are_fetched_cached_rotated_and_kept(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = pair.signer
    crowd = await asyncio.gather(*(pair.status(signer.token()) for _ in range(20)))
    assert (set(crowd), signer.fetches) == ({200}, 1)

    signer.add("k2")
    await asyncio.sleep(0.25)
    assert await pair.status(signer.token("k2")) == 200
    assert signer.fetches == 2
    assert await pair.status(Signer("k3").token("k3")) == 401

    await asyncio.to_thread(pair.auth.kill)
    monkeypatch.setattr(key_set, "JWKS_MAX_AGE", 0.0)
    await asyncio.sleep(0.25)
    assert await pair.status(signer.token("k2")) == 200, "known keys last while auth is away"


async def test_a_key_set_that_is_none_is_a_503_until_it_is_one(pair: Pair) -> None:
    pair.answer = "not a key set"
    answer = await pair.lab.direct.get("/me", headers=bearer(pair.signer.token()))
    assert (answer.status_code, answer.json()["type"]) == (503, "https://omnify.dev/problems/service-unavailable")
    pair.answer = None
    async with asyncio.timeout(30):
        while await pair.status(pair.signer.token()) != 200:
            await asyncio.sleep(0.1)
