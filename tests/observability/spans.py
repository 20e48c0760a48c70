"""Spans as the collector wrote them: a trace as a tree, to be read and asserted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from omnify_local.servers import Collector

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class Span:
    """One span. `by` is `app` for the service's own and `sidecar` for those that its daprd adds."""

    service: str
    by: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: tuple[str, ...]
    failed: bool

    def __str__(self) -> str:
        return f"{self.service} {self.by} {self.kind} {self.name}"


def spans_of(collector: Collector) -> Iterator[Span]:
    """Every span received so far."""
    for export in collector.received("traces"):
        for resource in export["resourceSpans"]:
            service = _attributes(resource["resource"].get("attributes", []))["service.name"]
            for scope in resource["scopeSpans"]:
                by = "app" if scope.get("scope", {}).get("name") == "omnify" else "sidecar"
                for span in scope["spans"]:
                    yield _span(service, by, span)


def _span(service: str, by: str, span: dict[str, Any]) -> Span:
    return Span(
        service=service,
        by=by,
        name=span["name"],
        kind=KINDS[span["kind"]],
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        attributes=_attributes(span.get("attributes", [])),
        links=tuple(link["spanId"] for link in span.get("links", [])),
        failed=span.get("status", {}).get("code") == 2,
    )


def _attributes(pairs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values()), None) for pair in pairs}


class Trace:
    """The spans of one trace."""

    def __init__(self, collector: Collector, trace_id: str) -> None:
        self.spans = {span.span_id: span for span in spans_of(collector) if span.trace_id == trace_id}

    def named(self, service: str, name: str, by: str = "app") -> list[Span]:
        """The spans of a service with this name."""
        return [one for one in self.spans.values() if (one.service, one.name, one.by) == (service, name, by)]

    def line_of(self, span: Span) -> list[Span]:
        """The span and its ancestors, the oldest first."""
        line = [span]
        while (parent := self.spans.get(line[-1].parent_id)) is not None:
            line.append(parent)
        return line[::-1]

    def orphans(self) -> list[Span]:
        """Spans whose parent did not come; the first of a trace is one when its caller began the trace."""
        return [span for span in self.spans.values() if span.parent_id and span.parent_id not in self.spans]

    def __str__(self) -> str:
        return "\n".join(sorted(" > ".join(map(str, self.line_of(span))) for span in self.spans.values()))
