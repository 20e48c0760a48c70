"""Spans of one app, named by OpenTelemetry's semantic conventions; without an exporter each costs one comparison.

The trace context of a request lives in `context`, not in OpenTelemetry's own: it has to travel where nothing is
exported, too. A span binds itself there, so that what is called or stored within it carries its id.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from omnify_shared.context import current, entered

Attributes = Mapping[str, str | int]


class Tracing:
    """Starts spans. `exporting` says whether anything receives them."""

    def __init__(self, tracer: trace.Tracer | None) -> None:
        self._tracer = tracer
        self.exporting = tracer is not None

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes | None = None,
        *,
        parent: str | None = None,
        link: str | None = None,
    ) -> Iterator[Span]:
        """A span for a block, child of `parent` (a trace parent; by default that of the request in hand).

        An exception makes it an error with the exception's class; its text stays out, as it may hold a secret.
        """
        if self._tracer is None:
            yield trace.INVALID_SPAN
            return
        context = current()
        span = self._tracer.start_span(
            name,
            context=_context_of(parent or context.traceparent),
            kind=kind,
            attributes=attributes,
            links=[trace.Link(span_context(link))] if link else (),
        )
        try:
            with entered(replace(context, traceparent=traceparent_of(span))):
                yield span
        except Exception as error:
            failed(span, type(error).__name__)
            raise
        finally:
            span.end()


def failed(span: Span, error_type: str) -> None:
    """Marks a span as an error of a type: an exception's class, or a status code."""
    span.set_attribute("error.type", error_type)
    span.set_status(trace.StatusCode.ERROR)


def traceparent_of(span: Span) -> str:
    """The span as a W3C trace parent."""
    made = span.get_span_context()
    return f"00-{made.trace_id:032x}-{made.span_id:016x}-{int(made.trace_flags):02x}"


def span_context(traceparent: str) -> trace.SpanContext:
    """A valid trace parent as OpenTelemetry has it."""
    _, trace_id, span_id, flags = traceparent.split("-")
    return trace.SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(int(flags, 16))
    )


def same_trace(one: str, other: str) -> bool:
    """Whether two trace parents belong to one trace."""
    return one[3:35] == other[3:35]


def _context_of(traceparent: str) -> Context:
    return trace.set_span_in_context(trace.NonRecordingSpan(span_context(traceparent)), Context())
