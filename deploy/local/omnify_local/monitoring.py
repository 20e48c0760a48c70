"""Prometheus beside a running platform, and what services and sidecars need to export over OTLP."""

from collections.abc import Mapping


def exporting(environment: Mapping[str, str]) -> dict[str, str]:
    """What a sidecar needs beside `OTEL_EXPORTER_OTLP_ENDPOINT` to speak as the services do: HTTP, and in the clear
    where the address says so; its own defaults are gRPC and TLS."""
    endpoint = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not endpoint:
        return {}
    return {
        "OTEL_EXPORTER_OTLP_PROTOCOL": environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        "OTEL_EXPORTER_OTLP_INSECURE": environment.get(
            "OTEL_EXPORTER_OTLP_INSECURE", str(not endpoint.startswith("https://")).lower()
        ),
    }
