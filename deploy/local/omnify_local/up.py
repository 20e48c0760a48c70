"""`make up`: the whole platform on one component set, until it is told to stop."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from omnify_local import backends, monitoring, paths, runfile, secrets, tools, topology
from omnify_local.errors import LocalError
from omnify_local.locked import LockedPlatform
from omnify_local.platform import LOGS, Platform
from omnify_local.sentry import Sentry
from omnify_local.servers import Clamd, Mailbox

_READY_TIMEOUT = 120
SCANNER = "FILES_CLAMD_URL"


class _Stopped(Exception):
    """Somebody asked us to stop."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _Stopped


def _ignore_further_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def up(set_name: str, profile: str) -> None:
    """Run the platform in the foreground; returns after Ctrl-C or SIGTERM, raises LocalError when something failed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    with contextlib.suppress(_Stopped):
        _run(paths.repository(), set_name, profile)


def _run(root: Path, set_name: str, profile: str) -> None:
    started = time.monotonic()
    secrets.ensure(root)
    run_file, apps = runfile.for_set(root, set_name), runfile.apps(root)
    plan = backends.plan(root, set_name, mailbox="OMNIFY_SMTP_URL" not in os.environ)
    scanner = backends.plan_scanner(plan, root, os.environ.get(SCANNER))
    if scanner:
        os.environ[SCANNER] = scanner
    platform = _locked(root, set_name, plan, apps) if profile == "secure" else _plain(root, run_file, plan, apps)
    _check_ports(root, plan, apps)
    _pid_path(root).write_text(str(os.getpid()))
    try:
        _start(plan, platform, set_name)
        report = _report(root, set_name, profile, plan, platform)
        _write_report(root, report)
        print(_table(report, plan, time.monotonic() - started), flush=True)
        _watch(platform, plan)
    finally:
        _ignore_further_signals()
        print("stopping", flush=True)
        _report_path(root).unlink(missing_ok=True)
        platform.stop()
        for server in reversed(plan.own):
            server.stop()
        _pid_path(root).unlink(missing_ok=True)


def _plain(root: Path, run_file: Path, plan: backends.Plan, apps: Sequence[runfile.App]) -> Platform:
    backends.plan_control_plane(plan, root, installed=tools.dapr().installed)
    return Platform(root, run_file, apps, _environment(root))


def _locked(root: Path, set_name: str, plan: backends.Plan, apps: Sequence[runfile.App]) -> Platform:
    # Neither placement nor scheduler: no service uses actors, workflows or jobs yet, and both listen everywhere.
    sentry = Sentry(root / ".omnify" / "servers" / "sentry")
    plan.add(sentry, sentry=sentry.port, sentry_health=sentry.health_port)
    return LockedPlatform(root, root / "components" / set_name, apps, sentry, _observed(root))


def _start(plan: backends.Plan, platform: Platform, set_name: str) -> None:
    print(f"starting {', '.join(server.name for server in plan.own)}", flush=True)
    for server in plan.own:
        server.launch()
    for server in plan.own:
        server.wait()
    topology.declare(platform.root / "components" / set_name, secrets.read(platform.root, secrets.INFRASTRUCTURE))
    print(f"starting {', '.join(app.app_id for app in platform.apps)} and their sidecars", flush=True)
    platform.start()
    platform.wait_until_ready(_READY_TIMEOUT)


def _environment(root: Path) -> dict[str, str]:
    tokens = secrets.read(root, secrets.TOKENS)
    return {
        "DAPR_API_TOKEN": tokens["dapr-api-token"],
        "APP_API_TOKEN": tokens["app-api-token"],
        **_observed(root),
    }


def _observed(root: Path) -> dict[str, str]:
    """What lets Prometheus in, and what sends traces out."""
    token = secrets.read(root, secrets.TOKENS)["metrics-token"]
    return {"OMNIFY_METRICS_TOKEN": token, **monitoring.exporting(os.environ)}


def _check_ports(root: Path, plan: backends.Plan, apps: Sequence[runfile.App]) -> None:
    for app in apps:
        plan.ports |= app.ports
    taken = plan.taken()
    if not taken:
        return
    running = _running(root)
    advice = (
        f"`make up` already runs here (pid {running}): stop it first" if running else "stop what uses it and try again"
    )
    more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
    raise LocalError(f"{taken[0]}{more}: {advice}")


def _running(root: Path) -> int | None:
    """Pid of another run of this checkout, if it lives."""
    try:
        pid = int(_pid_path(root).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def _watch(platform: Platform, plan: backends.Plan) -> None:
    while True:
        time.sleep(1)
        platform.check()
        for server in plan.own:
            if server.process is None or not server.process.running:
                raise LocalError(f"{server.name} has ended; its log is {server.log}")


def _pid_path(root: Path) -> Path:
    """Holds our pid from the first start to the last stop; run.json is there only while everything is ready."""
    return root / ".omnify" / "up.pid"


def _report_path(root: Path) -> Path:
    return root / ".omnify" / "run.json"


def _report(root: Path, set_name: str, profile: str, plan: backends.Plan, platform: Platform) -> dict[str, Any]:
    """Everything a script may want to know; secrets are left out (they are in .omnify/secrets)."""
    gateway = next(app for app in platform.apps if app.app_id == "gateway")
    mailbox = next((server for server in plan.own if isinstance(server, Mailbox)), None)
    pids = platform.pids()
    return {
        "set": set_name,
        "profile": profile,
        "pid": os.getpid(),
        "gateway": gateway.url,
        "api_docs": f"{gateway.url}/docs",
        "mailbox": mailbox.url if mailbox else None,
        "smtp": mailbox.smtp_url if mailbox else os.environ.get("OMNIFY_SMTP_URL"),
        "logs": str(root / LOGS),
        "data": str(root / ".omnify"),
        "apps": {
            app.app_id: {
                "url": app.url,
                "sidecar": app.sidecar_url,
                "sidecar_grpc_port": app.grpc,
                "sidecar_metrics_port": app.metrics,
                "pid": pids.get(app.app_id),
                "sidecar_pid": pids.get(f"{app.app_id} sidecar"),
            }
            for app in platform.apps
        },
        "servers": {
            server.name: {
                "port": server.port,
                "pid": server.process.pid if server.process else None,
                "log": str(server.log),
            }
            for server in plan.own
        },
        "dapr_run_pid": pids.get("dapr run"),
        "elsewhere": plan.foreign,
    }


def _scanner(plan: backends.Plan) -> str:
    """What scans uploads, and how far it can be relied on."""
    own = next((server for server in plan.own if isinstance(server, Clamd)), None)
    if own is None:
        return os.environ.get(SCANNER) or f"none: uploads stay in quarantine (install ClamAV, or set {SCANNER})"
    return own.url + ("" if own.knows_malware else ", which knows its test signature only (run freshclam for more)")


def _write_report(root: Path, report: Mapping[str, Any]) -> None:
    temporary = _report_path(root).with_suffix(".tmp")
    temporary.write_text(json.dumps(report, indent=2) + "\n")
    temporary.replace(_report_path(root))


def _table(report: Mapping[str, Any], plan: backends.Plan, seconds: float) -> str:
    rows = {
        "Gateway": report["gateway"],
        "API docs": report["api_docs"],
        "Mailbox": report["mailbox"] or f"mail goes to {report['smtp']}",
        "Scanner": _scanner(plan),
        "Logs": report["logs"],
        "Data": report["data"],
    }
    if plan.foreign:
        rows["Used as found"] = ", ".join(plan.foreign)
    width = max(map(len, rows))
    lines = [f"  {name:<{width}}  {value}" for name, value in rows.items()]
    locked = ", locked down" if report["profile"] == "secure" else ""
    head = f"Omnify runs on the set {report['set']}{locked} (ready in {seconds:.1f} s). Ctrl-C stops everything."
    return "\n".join(["", head, "", *lines, ""])
