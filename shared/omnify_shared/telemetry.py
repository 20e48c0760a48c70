"""OpenTelemetry: metrics for Prometheus on `/metrics`, and traces and metrics over OTLP where an endpoint is set.

The exporters follow the standard variables (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/);
without `OTEL_EXPORTER_OTLP_ENDPOINT` only the trace context is passed on, which costs next to nothing.
"""

import os
import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from omnify_shared.tracing import Tracing

CLOSE_TIMEOUT = 2.0  # seconds
METRICS_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})


class Telemetry:
    """The meters and spans of one app. What OpenTelemetry's semantic conventions name carries those names, the rest
    `omnify.…`; a label takes few values, so never an id, an address or a path."""

    def __init__(self, app_id: str) -> None:
        version = _version(app_id)
        self._resource = Resource.create(
            {"service.name": app_id, "service.namespace": "omnify", "service.version": version}
        )
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._exporters: list[Any] = []
        self.exporting = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
        self._meters = self._meter_provider()
        self._tracers = self._tracer_provider() if self.exporting else None
        self.tracing = Tracing(self._tracers.get_tracer("omnify") if self._tracers else None)
        self.meter = self._meters.get_meter("omnify")
        self._requests = self.histogram(
            "http.server.request.duration", "Duration of HTTP server requests.", unit="s", buckets=BUCKETS
        )
        build = {"version": version, "python": platform.python_version()}
        self.gauge("omnify.build.info", "Always 1; the labels say what runs.", lambda: 1, labels=build)

    def _meter_provider(self) -> MeterProvider:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader

        readers: list[Any] = [PrometheusMetricReader(registry=self._registry)]
        if self.exporting:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

            self._exporters.append(OTLPMetricExporter())
            readers.append(PeriodicExportingMetricReader(self._exporters[-1]))
        return MeterProvider(metric_readers=readers, resource=self._resource, shutdown_on_exit=False)

    def _tracer_provider(self) -> Any:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=self._resource, shutdown_on_exit=False)
        self._exporters.append(OTLPSpanExporter())
        provider.add_span_processor(BatchSpanProcessor(self._exporters[-1]))
        return provider

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Records one request; `route` is the template, never the path, so that ids make no new series."""
        labels: dict[str, str | int] = {
            "http.request.method": method if method in METHODS else "_OTHER",
            "http.route": route,
            "http.response.status_code": status,
        }
        self._requests.record(seconds, labels)

    def counter(self, name: str, description: str, starts: Sequence[Mapping[str, str]] = ()) -> Counter:
        """A counter that shows 0 for the label sets `starts` from the beginning: a rate needs a first value."""
        made = self.meter.create_counter(name, description=description)
        for labels in starts:
            made.add(0, labels)
        return made

    def histogram(self, name: str, description: str, *, unit: str, buckets: Sequence[float]) -> Histogram:
        """A histogram with these upper bounds, in `unit`."""
        return self.meter.create_histogram(
            name, unit=unit, description=description, explicit_bucket_boundaries_advisory=buckets
        )

    def gauge(
        self,
        name: str,
        description: str,
        read: Callable[[], float | None],
        *,
        unit: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """A gauge read at collection time, perhaps from another thread; None means that nothing is known yet."""

        def observe(_: CallbackOptions) -> list[Observation]:
            value = read()
            return [] if value is None else [Observation(value, labels)]

        self.meter.create_observable_gauge(name, callbacks=[observe], description=description, unit=unit)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def close(self) -> None:
        """Flushes the exporters, for at most CLOSE_TIMEOUT: a receiver that is away must not hold a shutdown."""
        ends = [threading.Thread(target=self._meters.shutdown, daemon=True)]
        if self._tracers:
            ends.append(threading.Thread(target=self._tracers.shutdown, daemon=True))
        for end in ends:
            end.start()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for end in ends:
            end.join(max(0.0, deadline - time.monotonic()))
        if any(end.is_alive() for end in ends):
            for exporter in self._exporters:
                exporter.shutdown()


def _version(app_id: str) -> str:
    """What the image says it is, else the installed distribution's version."""
    try:
        return os.environ.get("OMNIFY_VERSION") or metadata.version(f"omnify-{app_id}")
    except metadata.PackageNotFoundError:
        return "unknown"
