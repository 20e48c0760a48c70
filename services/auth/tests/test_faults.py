"""Broker and sidecar gone: what still works, and that it comes back by itself."""

import asyncio
from typing import Any

from omnify_local.servers import Server


async def test_registering_answers_without_a_broker_and_the_mail_follows(lab: Any, broker: Server) -> None:
    await lab.registered()
    await asyncio.to_thread(broker.stop)
    try:
        async with asyncio.timeout(30):
            form = await lab.registered()
        assert (await lab.login(form)).status_code == 403
    finally:
        await asyncio.to_thread(broker.start)
    token = await lab.mailed_token(form["email"])
    assert (await lab.auth.post("verify-email", token=token)).status_code == 200


async def test_without_its_sidecar_auth_says_so_and_recovers(lab: Any) -> None:
    signed_in = await lab.signed_in()
    sidecar = lab.auth.sidecar
    await asyncio.to_thread(sidecar.kill)
    try:
        answer = await lab.auth.post("register", **lab.form())
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await lab.auth.post("refresh", refresh_token=signed_in["refresh_token"])).status_code == 503
        assert (await lab.auth.http.get("/health/live")).status_code == 200
        published = await lab.auth.http.get("/.well-known/jwks.json")
        assert published.status_code == 200, "keys known already are served while the store is away"
        async with asyncio.timeout(30):
            while (await lab.auth.http.get("/health/ready")).status_code != 503:
                await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(sidecar.start)
    async with asyncio.timeout(30):
        while (await lab.auth.post("refresh", refresh_token=signed_in["refresh_token"])).status_code != 200:
            await asyncio.sleep(0.1)
        while (await lab.auth.http.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.1)
    await lab.verified()
