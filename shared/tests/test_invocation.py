"""Calls to peers through a real sidecar, and what a peer that is away looks like."""

import asyncio
import time

import pytest

from omnify_local.ports import free_port
from omnify_shared import context
from omnify_shared.dapr.errors import PeerTimeout, PeerUnavailable
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.invocation import Invoker
from support.lab import Lab, LabSettings


async def test_any_status_of_the_peer_is_its_answer(lab: Lab) -> None:
    invoker = lab.platform.invoker
    reply = await invoker.request("lab", "POST", "/echo", json={"name": "ünï ☃"})
    assert (reply.status, reply.json()["name"]) == (200, "ünï ☃")
    missing = await invoker.request("lab", "GET", "/nowhere")
    assert (missing.status, missing.json()["type"]) == (404, "https://omnify.dev/problems/not-found")
    defect = await invoker.request("lab", "GET", "/crash")
    assert (defect.status, defect.json()["type"]) == (500, "https://omnify.dev/problems/internal-error")
    wrong = await invoker.request("lab", "POST", "/echo", json={"name": 1})
    assert wrong.status == 422


async def test_the_callers_token_goes_along_only_when_asked(lab: Lab) -> None:
    before = context.current()
    context.enter(context.RequestContext("order-1", context.new_traceparent(), "Bearer forged"))
    try:
        with_it = await lab.platform.invoker.request("lab", "GET", "/me", forward_auth=True)
        without = await lab.platform.invoker.request("lab", "GET", "/me")
    finally:
        context.enter(before)
    assert with_it.json()["detail"] != without.json()["detail"]
    assert "send an access token" in without.json()["detail"]


async def test_an_app_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(PeerUnavailable) as refusal:
        await lab.platform.invoker.request("nobody", "GET", "/", timeout=20)
    assert refusal.value.status == 503
    assert "nobody" in refusal.value.detail


async def test_a_slow_peer_is_given_up_in_time(lab: Lab) -> None:
    started = time.perf_counter()
    with pytest.raises(PeerTimeout) as refusal:
        await lab.platform.invoker.request("lab", "GET", "/slow?seconds=3", timeout=0.3)
    assert refusal.value.status == 504
    assert time.perf_counter() - started < 1.5


async def test_without_a_sidecar_the_call_fails_at_once() -> None:
    sidecar = Sidecar(LabSettings(environment="test", dapr_http_port=free_port()))
    try:
        with pytest.raises(PeerUnavailable):
            await asyncio.wait_for(Invoker(sidecar).request("lab", "GET", "/"), 2)
    finally:
        await sidecar.close()
