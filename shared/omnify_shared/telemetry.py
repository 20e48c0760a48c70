"""OpenTelemetry: metrics for Prometheus on `/metrics`, and traces and metrics over OTLP where an endpoint is set.

The exporters follow the standard variables (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/);
without `OTEL_EXPORTER_OTLP_ENDPOINT` only the trace context is passed on, which costs next to nothing.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CLOSE_TIMEOUT = 2.0  # seconds
METRICS_TYPE = CONTENT_TYPE_LATEST
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """The meter and tracer of one app. Instruments carry the names of the OpenTelemetry semantic conventions."""

    def __init__(self, app_id: str) -> None:
        self._resource = Resource.create({"service.name": app_id, "service.namespace": "omnify"})
        self._registry = CollectorRegistry()
        self._exporters: list[Any] = []
        self.exporting = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
        self._meters = self._meter_provider()
        self._tracers = self._tracer_provider() if self.exporting else None
        self.tracer = self._tracers.get_tracer("omnify") if self._tracers else trace.NoOpTracer()
        self.meter = self._meters.get_meter("omnify")
        self._requests = self.meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )

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
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
        }
        self._requests.record(seconds, labels)

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """A gauge read at collection time."""

        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(read())]

        self.meter.create_observable_gauge(name, callbacks=[observe], description=description)

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
