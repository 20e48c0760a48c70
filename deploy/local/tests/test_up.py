"""`make up` as a person meets it: in a copy of the repository, on the pinned ports, by its own process."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
import pytest

from omnify_local import paths, runfile
from omnify_local.inbox import Inbox
from omnify_local.ports import LOOPBACK, is_free

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A copy of what is needed to run; PYTHONPATH makes it the repository of a child."""
    taken = [port for app in runfile.apps(paths.repository()) for port in app.ports.values() if not is_free(port)]
    if taken and os.environ.get("CI") != "true":
        pytest.skip(f"a platform runs here already (port {taken[0]} is taken)")
    root = tmp_path / "copy"
    for folder in ("components", "deploy", "services", "shared"):
        shutil.copytree(
            paths.repository() / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "tests")
        )
    shutil.copy(paths.repository() / "dapr.yaml", root)
    (root / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    yield root
    for process in _processes_of(root):
        process.kill()


def _run(root: Path, log: Path, *options: str) -> subprocess.Popen[bytes]:
    # The copy of email comes first too, so that a test can break it.
    members = [root / "deploy" / "local", root / "shared", root / "services" / "email"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, members))}
    environment.pop("OMNIFY_SMTP_URL", None)
    command = [sys.executable, "-m", "omnify_local", "up", *options]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT)


def _wait_for_report(root: Path, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    report = root / ".omnify" / "run.json"
    deadline = time.monotonic() + 100
    while not report.exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    document: dict[str, Any] = json.loads(report.read_text())
    return document


def _processes_of(root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = [process.info["cwd"] or "", *(process.info["cmdline"] or ())]
        if any(word.startswith(str(root)) for word in words) and process.pid != os.getpid():
            found.append(process)
    return found


def _stop(root: Path, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0
    assert _processes_of(root) == []
    assert not (root / ".omnify" / "run.json").exists()


def _sign_up(report: dict[str, Any], address: str) -> None:
    person = {"email": address, "password": "Correct-horse-9-staple", "full_name": "Ann", "organization_name": "Shop"}
    assert httpx.post(f"{report['gateway']}/api/auth/register", json=person, timeout=10).status_code == 202


def test_up_runs_everything_stops_everything_and_keeps_the_data(copy: Path, tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    process = _run(copy, log)
    report = _wait_for_report(copy, process, log)
    _sign_up(report, "ann@example.com")
    inbox = Inbox(report["mailbox"])
    inbox.wait_for("ann@example.com")
    assert httpx.get(report["api_docs"]).is_success
    assert all(
        psutil.pid_exists(app["pid"]) and psutil.pid_exists(app["sidecar_pid"]) for app in report["apps"].values()
    )
    listening = {item.laddr.ip for child in _processes_of(copy) for item in _listeners(child)}
    assert listening == {LOOPBACK}
    printed = log.read_text()
    assert all(word in printed for word in ("Gateway", "API docs", "Mailbox", "Logs", "Data"))
    _stop(copy, process)
    process = _run(copy, log)
    _wait_for_report(copy, process, log)
    assert inbox.mails("ann@example.com"), "mails are gone after a restart"
    inbox.close()
    _stop(copy, process)


def test_locked_down_it_runs_the_same_journey_and_lets_nobody_past_the_sidecars(copy: Path, tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    process = _run(copy, log, "--profile", "secure")
    report = _wait_for_report(copy, process, log)
    assert "locked down" in log.read_text()
    assert (report["profile"], "sentry" in report["servers"]) == ("secure", True)
    _sign_up(report, "ann@example.com")
    inbox = Inbox(report["mailbox"])
    inbox.wait_for("ann@example.com")
    inbox.close()
    auth = report["apps"]["auth"]
    for address in (f"{auth['url']}/internal/users/1/contact", f"{auth['sidecar']}/v1.0/state/statestore/user"):
        assert httpx.get(address).status_code == 401, address
    _stop(copy, process)


def _listeners(process: psutil.Process) -> list[Any]:
    # Dapr's placement and scheduler open their health port on every interface whatever they are told.
    if process.name() in {"placement", "scheduler"}:
        return []
    return [item for item in process.net_connections("tcp") if item.status == psutil.CONN_LISTEN]


def test_a_taken_port_ends_in_one_line(copy: Path, tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((LOOPBACK, 8006))
        taken.listen()
        assert _run(copy, log).wait(20) == 1
    assert log.read_text() == "omnify: port 8006 (email) is taken: stop what uses it and try again\n"
    assert _processes_of(copy) == []


def test_a_service_that_crashes_ends_the_start_and_names_itself(copy: Path, tmp_path: Path) -> None:
    app = copy / "services" / "email" / "omnify_email" / "app.py"
    app.write_text("raise RuntimeError('boom')\n")
    log = tmp_path / "up.log"
    assert _run(copy, log).wait(100) == 1
    assert "omnify: email has ended; its log" in log.read_text()
    assert "RuntimeError: boom" in log.read_text()
    assert _processes_of(copy) == []
