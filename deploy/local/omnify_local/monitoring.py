"""Prometheus beside a running platform, and what services and sidecars need to export over OTLP."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from omnify_local import paths, secrets, system_packages
from omnify_local.errors import LocalError
from omnify_local.ports import is_free
from omnify_local.servers import Prometheus

PORT = 9090


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


def run() -> None:
    """Prometheus on the platform of this checkout, in the foreground until Ctrl-C. LocalError when it cannot run."""
    root = paths.repository()
    system_packages.ensure_for_monitoring()
    secrets.ensure(root)
    folder = root / ".omnify" / "monitoring"
    keep_token(folder, secrets.read(root, secrets.TOKENS)["metrics-token"])
    server = Prometheus(folder, PORT, root / "deploy" / "monitoring" / "prometheus.yaml")
    if not is_free(PORT):
        raise LocalError(f"port {PORT} (Prometheus) is taken: stop what uses it and try again")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        server.start()
        print(f"Prometheus runs: {server.url}/targets, {server.url}/alerts. Ctrl-C stops it.", flush=True)
        while server.process is not None and server.process.running:
            time.sleep(1)
        raise LocalError(f"Prometheus has ended; its log is {server.log}")
    except KeyboardInterrupt:
        print("stopping", flush=True)
    finally:
        server.stop()


def keep_token(folder: Path, token: str) -> Path:
    """The scraper's token as the file that Prometheus reads, for its owner only."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "metrics-token"
    file.touch(0o600)
    file.write_text(token)
    return file


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
