"""Calls to peers through a real sidecar, and what a peer that is away looks like."""

import asyncio
import time

import pytest

from omnify_local.ports import free_port
from omnify_shared import context
from omnify_shared.access import Call, UndeclaredUse
from omnify_shared.dapr.errors import PeerTimeout, PeerUnavailable
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.invocation import Invoker
from omnify_shared.tracing import Tracing
from support.lab import CRASH, ECHO, ME, NOBODY, NOWHERE, SLOW, Lab, LabSettings


async def test_any_status_of_the_peer_is_its_answer(lab: Lab) -> None:
    invoker = lab.platform.invoker
    reply = await invoker.request(ECHO, json={"name": "ünï ☃"})
    assert (reply.status, reply.json()["name"]) == (200, "ünï ☃")
    missing = await invoker.request(NOWHERE)
    assert (missing.status, missing.json()["type"]) == (404, "https://omnify.dev/problems/not-found")
    defect = await invoker.request(CRASH)
    assert (defect.status, defect.json()["type"]) == (500, "https://omnify.dev/problems/internal-error")
    wrong = await invoker.request(ECHO, json={"name": 1})
    assert wrong.status == 422


async def test_the_callers_token_goes_along_only_when_asked(lab: Lab) -> None:
    before = context.current()
    context.enter(context.RequestContext("order-1", context.new_traceparent(), "Bearer forged"))
    try:
        with_it = await lab.platform.invoker.request(ME, forward_auth=True)
        without = await lab.platform.invoker.request(ME)
    finally:
        context.enter(before)
    assert with_it.json()["detail"] != without.json()["detail"]
    assert "send an access token" in without.json()["detail"]


async def test_an_app_that_is_not_there(lab: Lab) -> None:
    with pytest.raises(PeerUnavailable) as refusal:
        await lab.platform.invoker.request(NOBODY, timeout=20)
    assert refusal.value.status == 503
    assert "nobody" in refusal.value.detail


async def test_a_slow_peer_is_given_up_in_time(lab: Lab) -> None:
    started = time.perf_counter()
    with pytest.raises(PeerTimeout) as refusal:
        await lab.platform.invoker.request(SLOW, query={"seconds": 8}, timeout=0.3)
    assert refusal.value.status == 504
    assert time.perf_counter() - started < 6


async def test_without_a_sidecar_the_call_fails_at_once() -> None:
    sidecar = Sidecar(LabSettings(environment="test", dapr_http_port=free_port()))
    try:
        with pytest.raises(PeerUnavailable):
            await asyncio.wait_for(Invoker(sidecar, [ECHO], Tracing(None)).request(ECHO), 2)
    finally:
        await sidecar.close()


async def test_an_undeclared_call_is_refused_at_once_and_names_itself(lab: Lab) -> None:
    with pytest.raises(UndeclaredUse, match="DELETE /echo of lab is called and not declared"):
        await lab.platform.invoker.request(Call("lab", "DELETE", "/echo"))


def test_a_value_stays_in_its_segment() -> None:
    call = Call("lab", "GET", "/items/{item_id}/part")
    assert call.to({"item_id": "a/../b?x#y ü"}) == "/items/a%2F..%2Fb%3Fx%23y%20%C3%BC/part"
    for bad in ("", ".", ".."):
        with pytest.raises(ValueError, match="segment"):
            call.to({"item_id": bad})
    with pytest.raises(KeyError):
        call.to({})
