"""Every app against every API of its sidecar, every component and every secret."""

import asyncio
import json
from itertools import product

import httpx2 as httpx
from dapr.proto import api_v1

from omnify_local.secrets import FOLDER, INFRASTRUCTURE, TOKENS
from omnify_shared.access import OPERATOR
from omnify_shared.testing import Sidecar
from secure import apis
from secure.stage import STRANGER, Stage

GUESTS = {OPERATOR, STRANGER}
STORES = ("secretstore", INFRASTRUCTURE)


def used_over_grpc(stage: Stage, app: str) -> set[str]:
    """The APIs that an app uses, by its own words."""
    if app in GUESTS:
        return set()
    service = stage.services[app]
    used = {
        "state": service.app.state.platform.uses_state,
        "publish": bool(service.produces),
        "bindings": bool(service.app.state.access.bindings),
    }
    return {name for name, is_used in used.items() if is_used} | ({"secrets"} if secrets_of(stage, app) else set())


def used_over_http(stage: Stage, app: str) -> set[str]:
    if app in GUESTS:
        return {"invoke"}
    access = stage.services[app].app.state.access
    return ({"invoke"} if access.calls or access.prefixes else set()) | ({"metadata"} if access.metadata else set())


def secrets_of(stage: Stage, app: str) -> set[str]:
    return set() if app in GUESTS else set(stage.services[app].app.state.access.secrets)


async def test_every_method_of_the_grpc_api(stage: Stage) -> None:
    for app, sidecar in stage.sidecars.items():
        opened = {method for api in used_over_grpc(stage, app) for method in apis.GRPC[api]}
        seen = await grpc_answers(sidecar)
        assert len(seen) > 60, "the API has shrunk?"
        assert {name for name, answer in seen.items() if answer != "refused"} == opened, app
        assert sidecar.ready(), f"{app}'s sidecar was stopped through its own API"


async def grpc_answers(sidecar: Sidecar) -> dict[str, str]:
    async with apis.channel(sidecar) as channel:
        known = list(apis.methods())
        asked = [
            apis.answer(channel, name, stream=(sends, receives), metadata=apis.token(sidecar))
            for name, sends, receives in known
        ]
        return dict(zip((name for name, *_ in known), await asyncio.gather(*asked), strict=True))


async def test_every_route_of_the_http_api(stage: Stage) -> None:
    for app, sidecar in stage.sidecars.items():
        opened = used_over_http(stage, app)
        async with httpx.AsyncClient(base_url=sidecar.url, headers=sidecar.headers, timeout=20) as client:
            for api, routes in apis.HTTP.items():
                for method, path in routes:
                    reply = await client.request(method, path, json={})
                    missing = reply.status_code == 404 and (
                        reply.text == "404 page not found\n" or "failed getting app id" in reply.text
                    )
                    assert missing != (api in opened), f"{app} {method} {path}: {reply.status_code} {reply.text[:200]}"
        assert sidecar.ready()


async def test_every_component(stage: Stage) -> None:
    """A store is reached by the apps that use it, and nothing else passes for a store."""
    for app, sidecar in stage.sidecars.items():
        async with apis.channel(sidecar) as channel:
            for component in ("statestore", "pubsub", *STORES, "nothing"):
                request = api_v1.GetStateRequest(store_name=component, key="k")
                seen = await apis.answer(channel, "GetState", request, metadata=apis.token(sidecar))
                usable = component == "statestore" and "state" in used_over_grpc(stage, app)
                assert (seen == "ok") == usable, f"{app} {component}: {seen}"


async def test_every_secret(stage: Stage) -> None:
    """An app reads what it declares; no app reads another's, the servers' passwords, or the tokens."""
    known = all_secrets(stage)
    assert {"auth-pepper", "sendgrid-api-key", "redis-host", "dapr-api-token"} <= known
    for app, sidecar in stage.sidecars.items():
        async with apis.channel(sidecar) as channel:
            for store, name in product(STORES, sorted(known)):
                request = api_v1.GetSecretRequest(store_name=store, key=name)
                seen = await apis.answer(channel, "GetSecret", request, metadata=apis.token(sidecar))
                own = store == "secretstore" and name in secrets_of(stage, app)
                assert (seen == "ok") == own, f"{app} {store} {name}: {seen}"


async def test_all_secrets_at_once_are_no_more(stage: Stage) -> None:
    for app, sidecar in stage.sidecars.items():
        if not secrets_of(stage, app):
            continue
        async with apis.channel(sidecar) as channel:
            for store in STORES:
                body = api_v1.GetBulkSecretRequest(store_name=store).SerializeToString()
                method = channel.unary_unary(f"{apis.DAPR}/GetBulkSecret")
                reply = api_v1.GetBulkSecretResponse.FromString(
                    await method(body, metadata=apis.token(sidecar), timeout=20)
                )
                assert set(reply.data) == (secrets_of(stage, app) if store == "secretstore" else set()), (app, store)


def all_secrets(stage: Stage) -> set[str]:
    files = sorted((stage.home.path / FOLDER).glob("*.json"))
    assert {INFRASTRUCTURE, TOKENS} <= {file.stem for file in files}
    return {name for file in files for name in json.loads(file.read_text())}
