"""Metrics on /metrics, and traces over OTLP when an endpoint is set."""

import asyncio
import threading
import time

import httpx2 as httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from omnify_local.ports import free_port
from support.lab import Lab, LabSettings, create_app, serving
from support.otlp import Receiver, attributes

TRACE_ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def samples(client: httpx.AsyncClient) -> dict[tuple[str, str, str], float]:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (
            sample.name,
            sample.labels.get("http_route", ""),
            sample.labels.get("http_response_status_code", ""),
        ): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_route_and_status(lab: Lab) -> None:
    name = "http_server_request_duration_seconds_count"
    before = await samples(lab.direct)
    for path in ("/items/1", "/items/2", "/items/x", "/crash", "/wp-admin", "/other-scan"):
        await lab.direct.get(path)
    after = await samples(lab.direct)
    grown = {key[1:]: value - before.get(key, 0) for key, value in after.items() if key[0] == name}
    assert grown["/items/{item_id}", "200"] == 2
    assert grown["/items/{item_id}", "422"] == 1
    assert grown["/crash", "500"] == 1
    assert grown["unmatched", "404"] == 2
    assert not any("wp-admin" in route or "/items/1" in route for _, route, _ in after), "no series per path"
    assert after["omnify_outbox_pending", "", ""] == 0


async def test_traces_and_metrics_reach_a_strict_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        settings = LabSettings(environment="test", dapr_http_port=free_port())
        async with serving(create_app(settings), free_port()) as client:
            ids = await client.get("/ids", headers={"traceparent": f"00-{TRACE_ID}-{PARENT}-01"})
            await client.get("/items/7?limit=secret-query")
            await client.get("/crash")
            await client.get("/ids", headers={"traceparent": f"00-{TRACE_ID}-{PARENT}-00"})
    assert receiver.refused == []
    spans = {span.name: (resource, span) for resource, span in receiver.spans}
    resource, span = spans["GET /ids"]
    assert resource.items() >= {"service.name": "lab", "service.namespace": "omnify"}.items()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, PARENT)
    assert ids.json()["traceparent"] == f"00-{TRACE_ID}-{span.span_id.hex()}-01", "what goes on carries the new span"
    assert span.kind == span.SPAN_KIND_SERVER
    assert [one.name for _, one in receiver.spans].count("GET /ids") == 1, "an unsampled trace is not exported"
    _, item = spans["GET /items/{item_id}"]
    assert attributes(item.attributes) == {
        "http.request.method": "GET", "http.route": "/items/{item_id}", "http.response.status_code": 422
    }  # fmt: skip
    _, crash = spans["GET /crash"]
    assert crash.status.code == crash.status.STATUS_CODE_ERROR
    assert attributes(crash.attributes)["http.response.status_code"] == 500
    assert "hunter2" not in str(crash)
    assert "http.server.request.duration" in receiver.metrics


async def test_a_dead_receiver_does_not_hold_the_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    settings = LabSettings(environment="test", dapr_http_port=free_port())
    of_others = set(threading.enumerate())
    async with serving(create_app(settings), free_port()) as client:
        assert (await client.get("/ids")).status_code == 200
        started = time.perf_counter()
    assert time.perf_counter() - started < 5
    async with asyncio.timeout(30):  # nothing tries on
        while any("shutdown" in thread.name for thread in set(threading.enumerate()) - of_others):
            await asyncio.sleep(0.05)


async def test_without_an_endpoint_nothing_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    app = create_app(LabSettings(environment="test", dapr_http_port=free_port()))
    assert app.state.platform.telemetry.exporting is False
