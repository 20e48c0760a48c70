"""The connection to the sidecar mends itself."""

import asyncio
import time
from collections.abc import Callable

import pytest

from conformance.probe import PROBE, running
from omnify_shared.dapr.client import CALL_TIMEOUT
from omnify_shared.dapr.errors import SidecarUnavailable
from omnify_shared.testing import Home, Sidecar


async def test_calls_fail_at_once_while_the_sidecar_is_away_and_work_when_it_is_back(
    new_home: Callable[..., Home],
) -> None:
    sidecar = Sidecar(new_home("local", extra=[PROBE]), "probe").start()
    try:
        async with running(sidecar, clean=False) as probe:
            await probe.state.put("key", b'"value"')
            await asyncio.to_thread(sidecar.kill)
            started = time.monotonic()
            with pytest.raises(SidecarUnavailable):
                await probe.state.get("key")
            assert time.monotonic() - started < CALL_TIMEOUT, "nothing waited for it"
            await asyncio.sleep(4)
            await asyncio.to_thread(sidecar.start)
            async with asyncio.timeout(30):
                while not probe.sidecar.healthy:
                    await asyncio.sleep(0.02)
            found = await probe.state.get("key")
            assert found is not None
            assert found.data == b'"value"'
    finally:
        await asyncio.to_thread(sidecar.terminate)
