"""Keys that all replicas share, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2 as httpx

from omnify_auth.keyring import KeyRing, Schedule
from omnify_auth.records import Ring, RootKey
from omnify_auth.vault import RootKeys, Vault
from omnify_shared.documents import Documents
from omnify_shared.ids import new_id
from omnify_shared.testing.plugin import NewSidecar


def rings(lab: Any, count: int) -> list[KeyRing]:
    """Key rings of that many replicas on a fresh document."""
    platform = lab.auth.app.state.platform
    documents = Documents(platform.state, f"keyring-{new_id()}", Ring)
    schedule = Schedule.of(lab.auth.settings)
    return [KeyRing(documents, Vault(platform.secrets), schedule) for _ in range(count)]


async def test_replicas_that_start_together_agree_on_one_key(lab: Any) -> None:
    replicas = rings(lab, 12)
    signers = await asyncio.gather(*(ring.signer() for ring in replicas))
    assert len({kid for kid, _ in signers}) == 1
    assert len({key.private_numbers().private_value for _, key in signers}) == 1


async def test_replicas_that_start_together_agree_on_one_root(lab: Any) -> None:
    platform = lab.auth.app.state.platform
    documents = Documents(platform.state, f"root-{new_id()}", RootKey)
    roots = [RootKeys(documents, Vault(platform.secrets)) for _ in range(12)]
    assert len(set(await asyncio.gather(*(root.key("addresses") for root in roots)))) == 1


async def test_rotation_is_seen_by_all_before_it_signs(lab: Any, travel: Callable[[timedelta], None]) -> None:
    replicas = rings(lab, 4)
    first = {(await ring.signer())[0] for ring in replicas}
    travel(timedelta(hours=23, minutes=1))
    published = await asyncio.gather(*(ring.jwks() for ring in replicas))
    assert all(len(jwks["keys"]) == 2 for jwks in published)
    assert {(await ring.signer())[0] for ring in replicas} == first
    travel(timedelta(hours=1))
    second = {(await ring.signer())[0] for ring in replicas}
    assert len(second) == 1
    assert second != first
    assert len((await replicas[0].jwks())["keys"]) == 2
    travel(timedelta(minutes=7))
    assert [key["kid"] for key in (await replicas[0].jwks())["keys"]] == list(second)


async def test_an_operator_makes_the_next_key_and_nobody_notices(lab: Any, travel: Callable[[timedelta], None]) -> None:
    one, other = rings(lab, 2)
    before = (await one.signer())[0]
    for _ in range(2):
        await one.rotate(leaked=False)
        assert len((await one.jwks())["keys"]) == 2, "one that waits for its time is not made again"
    assert (await one.signer())[0] == before
    travel(timedelta(minutes=59))
    assert (await other.signer())[0] == before
    travel(timedelta(minutes=2))
    signers = {(await ring.signer())[0] for ring in (one, other)}
    assert len(signers) == 1
    assert before not in signers


async def test_a_leaked_key_is_withdrawn_at_once(lab: Any, travel: Callable[[timedelta], None]) -> None:
    one, other = rings(lab, 2)
    leaked = (await one.signer())[0]
    assert (await other.signer())[0] == leaked
    await one.rotate(leaked=True)
    [published] = (await one.jwks())["keys"]
    assert published["kid"] == (await one.signer())[0] != leaked
    travel(timedelta(seconds=61))
    assert (await other.signer())[0] == published["kid"], "the other replicas follow within a minute"


async def test_keys_are_rotated_through_auths_own_sidecar_only(lab: Any, new_sidecar: NewSidecar) -> None:
    path = "/internal/keys/rotate"
    await lab.auth.service.keyring.signer()
    own = lab.auth.sidecar
    async with httpx.AsyncClient(base_url=own.url, headers=own.headers, timeout=30) as operator:
        answer = await operator.post(f"/v1.0/invoke/auth/method{path}")
        assert (answer.status_code, len(answer.json()["keys"])) == (200, 2), answer.text
    peer = await asyncio.to_thread(new_sidecar, lab.home, "email")
    async with httpx.AsyncClient(base_url=peer.url, headers=peer.headers, timeout=30) as app:
        assert (await app.post(f"/v1.0/invoke/auth/method{path}")).status_code == 403
        forged = {"dapr-caller-app-id": "auth"}
        assert (await app.post(f"/v1.0/invoke/auth/method{path}", headers=forged)).status_code == 403
