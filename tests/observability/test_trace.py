"""One trace from the gateway through the broker to the sent mail, as a real OpenTelemetry Collector received it."""

import time

import httpx2 as httpx
import pytest

from observability.conftest import Observed, new_trace
from observability.spans import Trace

ARRIVAL = 30  # seconds until a span has gone through its exporter and the collector


@pytest.fixture(scope="module")
def trace(observed: Observed) -> Trace:
    """Everything that a registration did, until its mail was sent."""
    trace_id, traceparent = new_trace()
    ada = observed.person()
    body = {"email": ada.email, "password": ada.password, "full_name": "Ada", "organization_name": "Shop"}
    headers = {"traceparent": traceparent}
    answer = httpx.post(f"{observed.platform.url}/api/auth/register", json=body, headers=headers, timeout=30)
    assert answer.status_code == 202, answer.text
    observed.platform.inbox.wait_for(ada.email)
    return complete(observed, trace_id)


def complete(observed: Observed, trace_id: str) -> Trace:
    """The trace once all of it has come: the mail's span, whose line is whole, and no change for a while."""
    deadline = time.monotonic() + ARRIVAL
    before, trace = -1, Trace(observed.collector, trace_id)
    while not trace.named("email", "send mail") or len(trace.orphans()) > 1 or len(trace.spans) != before:
        assert time.monotonic() < deadline, f"not complete:\n{trace}"
        time.sleep(1)
        before, trace = len(trace.spans), Trace(observed.collector, trace_id)
    return trace


def test_the_way_to_the_sent_mail_is_one_line(trace: Trace) -> None:
    (mail,) = trace.named("email", "send mail")
    assert [str(span) for span in trace.line_of(mail)] == [
        "gateway app server POST /api/auth",
        "gateway sidecar client CallLocal/auth/api/auth/register",
        "auth sidecar server CallLocal/auth/api/auth/register",
        "auth app server POST /api/auth/register",
        "auth app producer send auth-events",
        "auth sidecar client /dapr.proto.runtime.v1.Dapr/PublishEvent",
        # The sidecar hands events on unread (docs/decisions/0015-faults.md), so the consumer takes the line up itself.
        "email app consumer process auth-events",
        "email app client send mail",
    ], f"\n{trace}"


def test_minting_the_mails_token_is_below_the_consumer(trace: Trace) -> None:
    (mint,) = trace.named("auth", "POST /internal/verifications/{verification_id}/token")
    ways = [(span.service, span.by, span.kind) for span in trace.line_of(mint)]
    assert ways[-5:] == [
        ("email", "app", "consumer"),
        ("email", "app", "client"),
        ("email", "sidecar", "client"),
        ("auth", "sidecar", "server"),
        ("auth", "app", "server"),
    ], f"\n{trace}"


def test_every_span_hangs_below_the_callers(trace: Trace) -> None:
    assert [str(span) for span in trace.orphans()] == ["gateway app server POST /api/auth"]
    assert not [span for span in trace.spans.values() if not span.parent_id]
    assert not [str(span) for span in trace.spans.values() if span.failed]
    by = {(span.service, span.by) for span in trace.spans.values()}
    assert by >= {(app, part) for app in ("gateway", "auth", "email") for part in ("app", "sidecar")}


def test_a_consumer_names_what_it_processes_and_links_to_its_origin(trace: Trace) -> None:
    (process,) = trace.named("email", "process auth-events")
    (send,) = trace.named("auth", "send auth-events")
    shared = ("messaging.message.id", "messaging.destination.name", "cloudevents.event_type")
    assert [process.attributes[name] for name in shared] == [send.attributes[name] for name in shared]
    assert process.attributes["messaging.operation.type"] == "process"
    (origin,) = process.links
    assert trace.spans[origin] in trace.line_of(process)


def test_state_calls_stand_below_the_request_that_made_them(trace: Trace) -> None:
    saves = trace.named("auth", "/dapr.proto.runtime.v1.Dapr/SaveState", "sidecar")
    assert saves
    assert {str(trace.spans[save.parent_id]) for save in saves} <= {
        "auth app server POST /api/auth/register",
        "auth app server POST /internal/verifications/{verification_id}/token",
        "auth app consumer process auth-events",  # the audit log
    }


def test_upkeep_makes_no_traces(observed: Observed, trace: Trace) -> None:
    roots = [span for span in observed.spans() if span.by == "sidecar" and not span.parent_id]
    assert {str(span) for span in roots if "State" in span.name} == set(), "several calls a second would drown the rest"


def test_the_gateway_writes_one_line_per_proxied_request(observed: Observed) -> None:
    request_id = f"line-{new_trace()[0]}"
    token = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"
    for given in (request_id, token):
        httpx.get(f"{observed.platform.url}/api/auth/me", headers={"x-request-id": given}, timeout=30)
    lines = observed.lines("gateway", event="request", route="/api/auth", method="GET")
    (line,) = [line for line in lines if line["request_id"] == request_id]
    assert line.items() >= {"status": 401, "app": "gateway", "level": "info"}.items()
    assert line["ms"] > 0
    assert [one["request_id"] for one in observed.lines("auth", event="request") if one["request_id"] == request_id]
    assert token not in observed.platform.services["gateway"].log.read_text()


def test_the_exporters_lost_nothing(observed: Observed, trace: Trace) -> None:
    for log in observed.logs:
        text = log.read_text()
        assert "Failed to export" not in text, log.name
        assert "traces export:" not in text, log.name
