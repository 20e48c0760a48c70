"""Keys that all replicas share, on real sidecars."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from omnify_auth.keyring import KeyRing, Schedule
from omnify_auth.records import Ring, RootKey
from omnify_auth.vault import RootKeys, Vault
from omnify_shared.documents import Documents
from omnify_shared.ids import new_id


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
